import type { PayeeRow, PayeeState } from '../../contract/types';
import { Address } from '../../kit/address';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { type Shape, Status } from '../../kit/status';
import { count, dayOf } from '../../kit/time';
import { When } from '../../kit/when';
import type { Column } from '../../table/column';

const STATES: PayeeState[] = ['PAYABLE', 'COOLING', 'BLOCKED'];

/** Whether an address is paid, by shape and word. */
export function payeeLook(state: PayeeState): { shape: Shape; word: string } {
  const looks: Record<PayeeState, { shape: Shape; word: string }> = {
    PAYABLE: { shape: 'approved', word: t('Can be paid') },
    COOLING: { shape: 'held', word: t('Cools down') },
    BLOCKED: { shape: 'failed', word: t('Blocked') },
  };
  return looks[state];
}

/** A kind of payee in a word. */
export function payeeKind(kind: string): string {
  return kind === 'AFFILIATE' ? t('Affiliate') : t('Payee of files');
}

/** What is known of a payee in a row. */
export function payeeColumns(zone: string): Column<PayeeRow>[] {
  return [
    {
      id: 'name',
      head: t('Payee, address'),
      track: 'minmax(27rem, 1fr)',
      cell: (row) => (
        <span className="flex min-w-0 flex-col">
          <TextLink
            to="/payees/$id"
            params={{ id: row.id }}
            className="block truncate font-semibold text-ink"
            tabIndex={-1}
          >
            {row.name}
          </TextLink>
          <Address address={row.address} />
        </span>
      ),
      compare: (a, b) => a.name.localeCompare(b.name),
      text: (row) => row.name,
      filter: { kind: 'text', of: (row) => row.name },
    },
    {
      id: 'address',
      head: t('Address'),
      track: '24rem',
      cell: (row) => <Address address={row.address} />,
      text: (row) => row.address,
      filter: { kind: 'text', of: (row) => row.address },
    },
    {
      id: 'kind',
      head: t('Kind'),
      track: '7.5rem',
      cell: (row) => payeeKind(row.kind),
      compare: (a, b) => a.kind.localeCompare(b.kind),
      text: (row) => payeeKind(row.kind),
      filter: {
        kind: 'choice',
        of: (row) => [row.kind],
        word: payeeKind,
        values: ['AFFILIATE', 'OTHER'],
      },
    },
    {
      id: 'state',
      head: t('State'),
      track: '14rem',
      cell: (row) => {
        const look = payeeLook(row.state);
        return (
          <span className="flex min-w-0 flex-col">
            <Status shape={look.shape}>{look.word}</Status>
            {row.state === 'COOLING' ? (
              <span className="block pl-5.5 text-small text-ink3">
                {t('until')} <When at={row.payableFrom} zone={zone} />
              </span>
            ) : row.state === 'BLOCKED' ? (
              <span className="block pl-5.5 text-small text-ink3">{t('on a sanctions list')}</span>
            ) : null}
          </span>
        );
      },
      compare: (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state),
      text: (row) => payeeLook(row.state).word,
      filter: {
        kind: 'choice',
        of: (row) => [row.state],
        word: (state) => payeeLook(state as PayeeState).word,
        values: STATES,
      },
    },
    {
      id: 'version',
      head: t('Version'),
      track: '5.5rem',
      end: true,
      cell: (row) => row.version,
      compare: (a, b) => a.version - b.version,
      text: (row) => String(row.version),
      filter: { kind: 'amount', of: (row) => String(row.version) },
    },
    {
      id: 'changedAt',
      head: t('Address since'),
      track: '12.5rem',
      cell: (row) => <When at={row.changedAt} zone={zone} />,
      compare: (a, b) => a.changedAt.localeCompare(b.changedAt),
      text: (row) => row.changedAt,
      filter: { kind: 'day', of: (row) => dayOf(row.changedAt, zone) },
    },
    {
      id: 'firstPaidAt',
      head: t('First paid'),
      track: '12.5rem',
      cell: (row) =>
        row.firstPaidAt ? (
          <When at={row.firstPaidAt} zone={zone} />
        ) : (
          <Status shape="note">{t('Never')}</Status>
        ),
      compare: (a, b) => (a.firstPaidAt ?? '').localeCompare(b.firstPaidAt ?? ''),
      text: (row) => row.firstPaidAt ?? '',
      filter: { kind: 'day', of: (row) => (row.firstPaidAt ? dayOf(row.firstPaidAt, zone) : '') },
    },
    {
      id: 'payments',
      head: t('Payments'),
      track: '6rem',
      end: true,
      cell: (row) => count(row.payments),
      compare: (a, b) => a.payments - b.payments,
      text: (row) => String(row.payments),
      filter: { kind: 'amount', of: (row) => String(row.payments) },
    },
    {
      id: 'waiting',
      head: t('Change'),
      track: '9rem',
      cell: (row) =>
        row.waiting ? (
          <TextLink to="/changes/$id" params={{ id: row.waiting }} tabIndex={-1}>
            {t('Waits for two')}
          </TextLink>
        ) : null,
      text: (row) => (row.waiting ? t('Waits for two') : ''),
      filter: {
        kind: 'choice',
        of: (row) => [row.waiting ? 'YES' : 'NO'],
        word: (value) => (value === 'YES' ? t('waits') : t('none')),
        values: ['YES', 'NO'],
      },
    },
  ];
}
