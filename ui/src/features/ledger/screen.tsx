import { useMemo } from 'react';
import { useRead } from '../../backend/use';
import type { AccountRow, TrialBalance } from '../../contract/types';
import { Amount, Asset } from '../../kit/amount';
import { compareDecimals, isZero, widestFraction } from '../../kit/decimal';
import { PageHead } from '../../kit/layout';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { Status } from '../../kit/status';
import { useScreen } from '../../routes/screen';
import { TableBar } from '../../table/bar';
import type { Column } from '../../table/column';
import { Grid } from '../../table/grid';
import { sumByAsset } from '../../table/selection';
import { useTableState } from '../../table/state';

function slotOf(balance: TrialBalance): number {
  return widestFraction(
    balance.accounts.flatMap((row) =>
      [row.debits, row.credits, row.debitBalance, row.creditBalance, row.held].flatMap((amount) =>
        amount === null ? [] : [{ amount, decimals: row.asset.decimals }],
      ),
    ),
  );
}

function columnsOf(slot: number, held: boolean): Column<AccountRow>[] {
  const amount = (
    id: string,
    head: string,
    of: (row: AccountRow) => string | null,
  ): Column<AccountRow> => ({
    id,
    head,
    track: 'max-content',
    end: true,
    cell: (row) => {
      const value = of(row);
      return value === null ? null : (
        <Amount value={value} decimals={row.asset.decimals} slot={slot} />
      );
    },
    compare: (a, b) => compareDecimals(of(a) ?? '0', of(b) ?? '0'),
    text: (row) => of(row) ?? '',
    filter: { kind: 'amount', of },
  });
  return [
    {
      id: 'account',
      head: t('Account'),
      track: 'minmax(14rem, 2fr)',
      cell: (row) => (
        <span className="min-w-0">
          <span className="block truncate font-medium">{row.name}</span>
          <span className="block truncate font-mono text-small text-ink3" title={row.code}>
            {row.code}
          </span>
        </span>
      ),
      compare: (a, b) => a.code.localeCompare(b.code),
      text: (row) => row.code,
      filter: { kind: 'text', of: (row) => `${row.name} ${row.code}` },
    },
    amount('debits', t('Debits'), (row) => row.debits),
    amount('credits', t('Credits'), (row) => row.credits),
    ...(held ? [amount('held', t('Held'), (row) => (isZero(row.held) ? null : row.held))] : []),
    amount('debit', t('Debit balance'), (row) => row.debitBalance),
    amount('credit', t('Credit balance'), (row) => row.creditBalance),
    {
      id: 'asset',
      head: t('Asset'),
      track: '4rem',
      cell: (row) => <Asset asset={row.asset} />,
      text: (row) => row.asset.symbol,
      filter: { kind: 'choice', of: (row) => [row.asset.symbol], word: (symbol) => symbol },
    },
  ];
}

function BalanceTable(props: { balance: TrialBalance }) {
  const { balance } = props;
  const slot = slotOf(balance);
  const held = balance.accounts.some((row) => !isZero(row.held));
  const columns = useMemo(() => columnsOf(slot, held), [slot, held]);
  const table = useTableState({
    name: 'trial balance',
    label: t('Trial balance'),
    whole: t('All accounts'),
    rows: balance.accounts,
    columns,
  });
  const sums = (of: (row: AccountRow) => string | null) =>
    sumByAsset(table.rows.map((row) => ({ asset: row.asset, amount: of(row) ?? '0' })));
  const debits = sums((row) => row.debitBalance);
  const credits = sums((row) => row.creditBalance);
  return (
    <>
      <TableBar
        table={table}
        count={t('{shown} of {all, plural, one {# account} other {# accounts}}', {
          shown: table.rows.length,
          all: table.all.length,
        })}
      />
      <Grid
        table={table}
        keyOf={(row) => `${row.code} ${row.asset.token ?? row.asset.symbol}`}
        rowRem={2.5}
        groupOf={(row) => row.asset.symbol}
        groupSum={(rows) => ({
          label: (
            <strong className="font-semibold">
              {rows[0]?.asset.symbol}{' '}
              <span className="font-normal text-ink3">
                {t('{rows, plural, one {# account} other {# accounts}}', { rows: rows.length })}
              </span>
            </strong>
          ),
          cells: {},
        })}
        totals={debits.map(({ asset, amount }, index) => ({
          label: t('{asset}, sum of balances', { asset: asset.symbol }),
          cells: {
            debit: <Amount value={amount} decimals={asset.decimals} slot={slot} />,
            credit: (
              <Amount value={credits[index]?.amount ?? '0'} decimals={asset.decimals} slot={slot} />
            ),
            asset: <Asset asset={asset} />,
          },
        }))}
        empty={
          <Notice shape="note" title={t('Nothing is posted yet')}>
            {t('The first settlement or opening balance makes the first entry.')}
          </Notice>
        }
        className="flex-1"
      />
    </>
  );
}

/** The trial balance: every account, per asset; debits equal credits. */
export function LedgerScreen() {
  useScreen([{ label: t('Ledger') }]);
  const query = useRead('ledger_trial_balance', null, { every: 10_000 });
  const balance = query.data;
  const off = balance?.totals.find((total) => !total.balanced);
  return (
    <>
      <PageHead
        title={t('Ledger')}
        beside={
          <>
            <span className="text-ink3">{t('trial balance')}</span>
            {balance && balance.totals.length > 0 ? (
              off ? (
                <Status shape="differs">
                  {t('{asset} does not balance', { asset: off.asset.symbol })}
                </Status>
              ) : (
                <Status shape="executed">{t('Debits equal credits')}</Status>
              )
            ) : null}
          </>
        }
      />
      {query.isPending ? <Waiting what={t('Reading the ledger')} /> : null}
      {query.isError && !balance ? (
        <Failure error={query.error} onRetry={() => void query.refetch()} />
      ) : null}
      {balance ? <BalanceTable balance={balance} /> : null}
    </>
  );
}
