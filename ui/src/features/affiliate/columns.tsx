import type { AffiliateRow } from '../../contract/types';
import { Address } from '../../kit/address';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Status } from '../../kit/status';
import { count } from '../../kit/time';
import type { Column } from '../../table/column';

/** Whether the sales of an affiliate earn, by shape and word. */
export function Earns(props: { active: boolean }) {
  return props.active ? (
    <Status shape="approved">{t('Earns')}</Status>
  ) : (
    <Status shape="rejected">{t('Earns nothing')}</Status>
  );
}

/** What is known of an affiliate in a row. */
export function affiliateColumns(): Column<AffiliateRow>[] {
  return [
    {
      id: 'name',
      head: t('Affiliate, wallet'),
      track: 'minmax(27rem, 1fr)',
      cell: (row) => (
        <span className="flex min-w-0 flex-col">
          <TextLink
            to="/affiliates/$id"
            params={{ id: row.id }}
            className="block truncate font-semibold text-ink"
            tabIndex={-1}
          >
            {row.name}
          </TextLink>
          <Address address={row.wallet} />
        </span>
      ),
      compare: (a, b) => a.name.localeCompare(b.name),
      text: (row) => row.name,
      filter: { kind: 'text', of: (row) => row.name },
    },
    {
      id: 'code',
      head: t('Referral code'),
      track: '9rem',
      cell: (row) => <code className="truncate font-mono text-small">{row.code}</code>,
      compare: (a, b) => a.code.localeCompare(b.code),
      text: (row) => row.code,
      filter: { kind: 'text', of: (row) => row.code },
    },
    {
      id: 'parent',
      head: t('Parent'),
      track: 'minmax(9rem, 14rem)',
      cell: (row) =>
        row.parentId ? (
          <TextLink
            to="/affiliates/$id"
            params={{ id: row.parentId }}
            className="truncate"
            tabIndex={-1}
          >
            {row.parent}
          </TextLink>
        ) : null,
      compare: (a, b) => (a.parent ?? '').localeCompare(b.parent ?? ''),
      text: (row) => row.parent ?? '',
      filter: { kind: 'text', of: (row) => row.parent ?? '' },
    },
    {
      id: 'tier',
      head: t('Tier'),
      track: '8rem',
      cell: (row) => row.tier,
      compare: (a, b) => a.tier.localeCompare(b.tier),
      text: (row) => row.tier,
      filter: { kind: 'text', of: (row) => row.tier },
    },
    {
      id: 'active',
      head: t('State'),
      track: '9rem',
      cell: (row) => <Earns active={row.isActive} />,
      compare: (a, b) => Number(b.isActive) - Number(a.isActive),
      text: (row) => (row.isActive ? t('Earns') : t('Earns nothing')),
      filter: {
        kind: 'choice',
        of: (row) => [row.isActive ? 'YES' : 'NO'],
        word: (value) => (value === 'YES' ? t('Earns') : t('Earns nothing')),
        values: ['YES', 'NO'],
      },
    },
    {
      id: 'children',
      head: t('Below'),
      track: '5rem',
      end: true,
      cell: (row) => count(row.children),
      text: (row) => String(row.children),
    },
    {
      id: 'users',
      head: t('Users'),
      track: '5.5rem',
      end: true,
      cell: (row) => count(row.users),
      text: (row) => String(row.users),
    },
    {
      id: 'wallet',
      head: t('Wallet'),
      track: '24rem',
      cell: (row) => <Address address={row.wallet} />,
      text: (row) => row.wallet,
      filter: { kind: 'text', of: (row) => row.wallet },
    },
  ];
}
