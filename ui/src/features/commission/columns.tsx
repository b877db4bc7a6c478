import { COMMISSION_TRANSITIONS } from '../../contract/states';
import type { CommissionRow } from '../../contract/types';
import { Amount, Asset } from '../../kit/amount';
import { compareDecimals } from '../../kit/decimal';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { State, stateLook } from '../../kit/status';
import { dayOf } from '../../kit/time';
import { When } from '../../kit/when';
import type { Column } from '../../table/column';
import { COMMISSION_KINDS, commissionWord, percent } from './words';

/** What is known of a commission in a row. */
export function commissionColumns(zone: string): Column<CommissionRow>[] {
  return [
    {
      id: 'earnedAt',
      head: t('Sold'),
      track: '12.5rem',
      cell: (row) => <When at={row.earnedAt} zone={zone} />,
      compare: (a, b) => a.earnedAt.localeCompare(b.earnedAt),
      text: (row) => row.earnedAt,
      filter: { kind: 'day', of: (row) => dayOf(row.earnedAt, zone) },
    },
    {
      id: 'affiliate',
      head: t('Affiliate'),
      track: 'minmax(12rem, 1fr)',
      cell: (row) => (
        <TextLink
          to="/commissions/$id"
          params={{ id: row.id }}
          className="truncate font-semibold text-ink"
          tabIndex={-1}
        >
          {row.affiliate}
        </TextLink>
      ),
      compare: (a, b) => a.affiliate.localeCompare(b.affiliate),
      text: (row) => row.affiliate,
      filter: { kind: 'text', of: (row) => row.affiliate },
    },
    {
      id: 'kind',
      head: t('Kind'),
      track: '8.5rem',
      cell: (row) => (
        <span className="whitespace-nowrap">
          {commissionWord(row.kind)}{' '}
          <span className="text-ink3">{t('{percent} %', { percent: percent(row.rate) })}</span>
        </span>
      ),
      compare: (a, b) => a.kind.localeCompare(b.kind),
      text: (row) => row.kind,
      filter: {
        kind: 'choice',
        of: (row) => [row.kind],
        word: commissionWord,
        values: COMMISSION_KINDS,
      },
    },
    {
      id: 'money',
      head: t('Amount'),
      track: '9.5rem',
      end: true,
      cell: (row) => (
        <Amount value={row.money.amount} decimals={row.money.asset.decimals} slot={6} cut={6} />
      ),
      compare: (a, b) => compareDecimals(a.money.amount, b.money.amount),
      text: (row) => row.money.amount,
      filter: { kind: 'amount', of: (row) => row.money.amount },
    },
    {
      id: 'asset',
      head: t('Asset'),
      track: '4.5rem',
      cell: (row) => <Asset asset={row.money.asset} />,
      compare: (a, b) => a.money.asset.symbol.localeCompare(b.money.asset.symbol),
      text: (row) => row.money.asset.symbol,
      filter: { kind: 'text', of: (row) => row.money.asset.symbol },
    },
    {
      id: 'state',
      head: t('State'),
      track: '11rem',
      cell: (row) => <State state={row.state} />,
      compare: (a, b) => a.state.localeCompare(b.state),
      text: (row) => stateLook(row.state).word,
      filter: {
        kind: 'choice',
        of: (row) => [row.state],
        word: (state) => stateLook(state).word,
        values: Object.keys(COMMISSION_TRANSITIONS),
      },
    },
    {
      id: 'payableFrom',
      head: t('Payable from'),
      track: '12.5rem',
      cell: (row) => <When at={row.payableFrom} zone={zone} />,
      compare: (a, b) => a.payableFrom.localeCompare(b.payableFrom),
      text: (row) => row.payableFrom,
      filter: { kind: 'day', of: (row) => dayOf(row.payableFrom, zone) },
    },
    {
      id: 'batch',
      head: t('Batch'),
      track: '4.5rem',
      end: true,
      cell: (row) =>
        row.batchId ? (
          <TextLink to="/batches/$id" params={{ id: row.batchId }} tabIndex={-1}>
            {row.batch}
          </TextLink>
        ) : null,
      text: (row) => String(row.batch ?? ''),
    },
  ];
}
