import { useMemo } from 'react';
import type { PayableRow } from '../../contract/types';
import { Address } from '../../kit/address';
import { Amount, Asset } from '../../kit/amount';
import { compareDecimals, widestFraction } from '../../kit/decimal';
import { t } from '../../kit/say';
import { Notice } from '../../kit/states';
import { TableBar } from '../../table/bar';
import type { Column } from '../../table/column';
import { Grid } from '../../table/grid';
import { sumByAsset } from '../../table/selection';
import { useTableState } from '../../table/state';

function columnsOf(slot: number): Column<PayableRow>[] {
  const amount = (
    id: string,
    head: string,
    of: (row: PayableRow) => PayableRow['total'],
    strong = false,
  ): Column<PayableRow> => ({
    id,
    head,
    track: 'max-content',
    end: true,
    cell: (row) => (
      <Amount
        value={of(row).amount}
        decimals={of(row).asset.decimals}
        slot={slot}
        className={strong ? 'font-semibold' : ''}
      />
    ),
    compare: (a, b) => compareDecimals(of(a).amount, of(b).amount),
    text: (row) => of(row).amount,
    filter: { kind: 'amount', of: (row) => of(row).amount },
  });
  return [
    {
      id: 'affiliate',
      head: t('Affiliate, wallet'),
      track: 'minmax(22.5rem, 1fr)',
      cell: (row) => (
        <span className="min-w-0">
          <span className="block truncate font-medium">{row.affiliate}</span>
          <Address address={row.wallet} />
        </span>
      ),
      compare: (a, b) => a.affiliate.localeCompare(b.affiliate),
      text: (row) => `${row.affiliate} ${row.wallet}`,
      filter: { kind: 'text', of: (row) => `${row.affiliate} ${row.wallet}` },
    },
    {
      id: 'period',
      head: t('Settled'),
      track: '6.75rem',
      cell: (row) => (
        <span className="text-small text-ink2">
          {row.period[0]}
          {row.period[0] === row.period[1] ? null : (
            <span className="block">{t('to {date}', { date: row.period[1] })}</span>
          )}
        </span>
      ),
      text: (row) => row.period.join(' '),
      filter: { kind: 'day', of: (row) => row.period[1] },
    },
    {
      id: 'commissions',
      head: t('Count'),
      track: '4.5rem',
      end: true,
      cell: (row) => row.commissions,
      compare: (a, b) => a.commissions - b.commissions,
      text: (row) => String(row.commissions),
      filter: { kind: 'amount', of: (row) => String(row.commissions) },
    },
    amount('direct', t('Direct'), (row) => row.direct),
    amount('over', t('Override'), (row) => row.over),
    amount('owedBack', t('Owed back'), (row) => row.owedBack),
    amount('total', t('Total'), (row) => row.total, true),
    {
      id: 'asset',
      head: t('Asset'),
      track: '3.75rem',
      cell: (row) => <Asset asset={row.total.asset} />,
      text: (row) => row.total.asset.symbol,
      filter: { kind: 'choice', of: (row) => [row.total.asset.symbol], word: (symbol) => symbol },
    },
  ];
}

/** What is payable now, netted per affiliate and asset. */
export function PayableGrid(props: { rows: PayableRow[] }) {
  const all = props.rows.flatMap((row) => [row.direct, row.over, row.owedBack, row.total]);
  const slot = widestFraction(
    [...all, ...sumByAsset(props.rows.map((row) => row.total))].map((money) => ({
      amount: money.amount,
      decimals: money.asset.decimals,
    })),
  );
  const columns = useMemo(() => columnsOf(slot), [slot]);
  const table = useTableState({
    name: 'payable',
    label: t('Payable commissions'),
    rows: props.rows,
    columns,
  });
  const totals = sumByAsset(table.rows.map((row) => row.total));
  return (
    <>
      <TableBar
        table={table}
        count={t('{shown} of {all, plural, one {# payment} other {# payments}}', {
          shown: table.rows.length,
          all: table.all.length,
        })}
      />
      <Grid
        table={table}
        keyOf={(row) => `${row.wallet} ${row.total.asset.token ?? row.total.asset.symbol}`}
        rowRem={2.5}
        totals={totals.map((total, index) => ({
          label:
            index === 0
              ? t('{rows, plural, one {# payment} other {# payments}}', {
                  rows: table.rows.length,
                })
              : '',
          cells: {
            total: <Amount value={total.amount} decimals={total.asset.decimals} slot={slot} />,
            asset: <Asset asset={total.asset} />,
          },
        }))}
        empty={
          <Notice shape="approved" title={t('Nothing is payable')}>
            {t(
              'A commission becomes payable when its settlement is confirmed and the holding period is over.',
            )}
          </Notice>
        }
        className="flex-1"
      />
    </>
  );
}
