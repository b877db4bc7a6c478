import { useMemo } from 'react';
import { useRead } from '../../backend/use';
import type { DiscrepancyView, MatchView, RunDetail, RunGroup } from '../../contract/types';
import { Address } from '../../kit/address';
import { Amount, Asset } from '../../kit/amount';
import { compareDecimals, widestFraction } from '../../kit/decimal';
import { ShortHash } from '../../kit/hash';
import { PageHead } from '../../kit/layout';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { Status, StatusIcon, kindShape } from '../../kit/status';
import { clock, count, countText, dateTime, zoneName } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { TableBar } from '../../table/bar';
import type { Column } from '../../table/column';
import { Grid } from '../../table/grid';
import { sumByAsset } from '../../table/selection';
import { useTableState } from '../../table/state';
import { useSession } from '../session/session';
import { RunButton } from './list';
import { TwoSides } from './sides';

export interface RunSearch {
  group?: string;
  item?: number;
}

const MATCHED = 'matched';

const STRIPE: Record<string, string> = {
  executed: 'bg-ok forced-colors:bg-[Highlight]',
  differs: 'bg-warn forced-colors:bg-[CanvasText]',
  missing: 'bg-[repeating-linear-gradient(90deg,var(--warn)_0_3px,transparent_3px_6px)]',
  held: 'bg-line2',
  incident: 'bg-danger forced-colors:bg-[CanvasText]',
  check: 'bg-warn',
};

/** All lines as one bar; open groups are widened so that one sees them. */
function Bar(props: { groups: RunGroup[] }) {
  const shown = props.groups.filter((group) => group.count > 0);
  return (
    <div aria-hidden="true" className="flex h-2 w-full gap-px bg-line">
      {shown.map((group) => (
        <span
          key={group.kind}
          className={`${STRIPE[kindShape(group.kind)] ?? 'bg-warn'} ${group.kind === MATCHED ? 'flex-1' : 'w-12 shrink-0'}`}
        />
      ))}
    </div>
  );
}

function Groups(props: { run: RunDetail; now: string; onGroup: (kind: string) => void }) {
  return (
    <nav
      aria-label={t('Groups')}
      className="shrink-0 overflow-auto border-line2 p-3 @max-4xl:border-b @4xl:w-52 @4xl:border-r"
    >
      <div className="flex justify-between px-2 pb-1 text-small text-ink3">
        <span>{t('Groups')}</span>
        <span>{t('lines')}</span>
      </div>
      {props.run.groups.map((group) => {
        const on = group.kind === props.now;
        return (
          <button
            key={group.kind}
            type="button"
            aria-current={on ? 'true' : undefined}
            onClick={() => props.onGroup(group.kind)}
            className={`flex w-full items-start gap-2.5 rounded-ctl px-2 py-1.5 text-left -outline-offset-2 ${
              on ? 'bg-selected shadow-[inset_3px_0_0_var(--accent)]' : 'hover:bg-sunk'
            }`}
          >
            <span className="pt-0.5">
              <StatusIcon shape={kindShape(group.kind)} />
            </span>
            <span className="min-w-0 flex-1">
              <span className="flex justify-between gap-2">
                <span className={on ? 'font-semibold' : ''}>{group.label}</span>
                <span className="font-semibold">{count(group.count)}</span>
              </span>
              {group.kind === MATCHED
                ? null
                : group.money.map((money) => (
                    <span key={money.asset.symbol} className="block text-small text-ink3">
                      <Amount value={money.amount} decimals={money.asset.decimals} cut={4} />{' '}
                      {money.asset.symbol}
                    </span>
                  ))}
            </span>
          </button>
        );
      })}
      <p className="px-2 pt-3 text-small text-ink3">
        {t('The bar above is not to scale: open groups are widened to be seen.')}
      </p>
    </nav>
  );
}

function discrepancyColumns(rows: DiscrepancyView[], slot: number): Column<DiscrepancyView>[] {
  const amount = (
    id: string,
    head: string,
    of: (row: DiscrepancyView) => string | null,
  ): Column<DiscrepancyView> => ({
    id,
    head,
    track: 'max-content',
    end: true,
    cell: (row) => {
      const value = of(row);
      return value === null ? (
        <Status shape="missing">{t('none')}</Status>
      ) : (
        <Amount value={value} decimals={row.asset.decimals} slot={slot} />
      );
    },
    compare: (a, b) => compareDecimals(of(a) ?? '0', of(b) ?? '0'),
    text: (row) => of(row) ?? '',
    filter: { kind: 'amount', of },
  });
  const names = new Set(rows.map((row) => `${row.leftName}|${row.rightName}`));
  const [left, right] =
    names.size === 1 ? ([...names][0] ?? '').split('|') : [t('One side'), t('Other side')];
  return [
    {
      id: 'number',
      head: t('Number'),
      track: '5rem',
      cell: (row) => <span className="font-mono text-small">D-{row.number}</span>,
      compare: (a, b) => a.number - b.number,
      text: (row) => `D-${row.number}`,
    },
    {
      id: 'subject',
      head: t('Line'),
      track: 'minmax(11rem, 1fr)',
      cell: (row) => (
        <span className="truncate" title={row.title}>
          {row.subject || row.title}
        </span>
      ),
      text: (row) => row.subject || row.title,
      filter: { kind: 'text', of: (row) => `${row.subject} ${row.title}` },
    },
    amount('left', left ?? '', (row) => row.leftAmount),
    amount('right', right ?? '', (row) => row.rightAmount),
    {
      id: 'difference',
      head: t('Difference'),
      track: 'max-content',
      end: true,
      cell: (row) => (
        <strong className="font-semibold">
          <Amount value={row.difference} decimals={row.asset.decimals} slot={slot} signed />
        </strong>
      ),
      compare: (a, b) => compareDecimals(a.difference, b.difference),
      text: (row) => row.difference,
      filter: { kind: 'amount', of: (row) => row.difference },
    },
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

function Discrepancies(props: {
  /** Which run and group. */
  of: string;
  rows: DiscrepancyView[];
  item: DiscrepancyView | undefined;
  onItem: (number: number) => void;
}) {
  const { rows, item } = props;
  const sumOf = (some: DiscrepancyView[]) =>
    sumByAsset(some.map((row) => ({ asset: row.asset, amount: row.difference })));
  const slot = widestFraction([
    ...rows.flatMap((row) =>
      [row.leftAmount, row.rightAmount, row.difference].map((amount) => ({
        amount: amount ?? '0',
        decimals: row.asset.decimals,
      })),
    ),
    ...sumOf(rows).map((sum) => ({ amount: sum.amount, decimals: sum.asset.decimals })),
  ]);
  const columns = useMemo(() => discrepancyColumns(rows, slot), [rows, slot]);
  const table = useTableState({
    name: 'discrepancies',
    of: props.of,
    label: t('Discrepancies'),
    whole: t('All of this group'),
    rows,
    columns,
  });
  const sums = sumOf(table.rows);
  return (
    <div className="flex flex-col gap-2 overflow-auto pb-4">
      <TableBar
        table={table}
        count={t('{shown} of {all, plural, one {# discrepancy} other {# discrepancies}}', {
          shown: table.rows.length,
          all: table.all.length,
        })}
      />
      <div
        className="max-h-80 shrink-0 overflow-auto px-4"
        onClickCapture={(event) => {
          const row = (event.target as HTMLElement).closest<HTMLElement>(
            '[role="row"][data-index]',
          );
          if (row) row.focus();
        }}
      >
        <Grid
          table={table}
          keyOf={(row) => String(row.number)}
          currentKey={item ? String(item.number) : null}
          onOpen={(row) => props.onItem(row.number)}
          onFocusRow={(row) => props.onItem(row.number)}
          totals={sums.map((sum, index) => ({
            label:
              index === 0
                ? t('{rows, plural, one {# discrepancy} other {# discrepancies}}', {
                    rows: table.rows.length,
                  })
                : '',
            cells: {
              difference: (
                <Amount value={sum.amount} decimals={sum.asset.decimals} slot={slot} signed />
              ),
              asset: <Asset asset={sum.asset} />,
            },
          }))}
        />
      </div>
      {item ? (
        <div className="px-4">
          <TwoSides item={item} />
        </div>
      ) : null}
    </div>
  );
}

function matchColumns(slot: number): Column<MatchView>[] {
  return [
    {
      id: 'line',
      head: t('Batch, line'),
      track: '8.5rem',
      cell: (match) => (
        <TextLink to="/batches/$id" params={{ id: match.batchId }} tabIndex={-1}>
          {t('Batch {batch}, line {line}', { batch: match.batch, line: match.line })}
        </TextLink>
      ),
      compare: (a, b) => a.batch - b.batch || a.line - b.line,
      text: (match) => t('Batch {batch}, line {line}', { batch: match.batch, line: match.line }),
      filter: { kind: 'amount', of: (match) => String(match.batch) },
    },
    {
      id: 'recipient',
      head: t('Recipient'),
      track: 'minmax(22.5rem, 1fr)',
      cell: (match) => <Address address={match.recipient} />,
      text: (match) => match.recipient,
      filter: { kind: 'text', of: (match) => match.recipient },
    },
    {
      id: 'amount',
      head: t('Amount'),
      track: 'max-content',
      end: true,
      cell: (match) => (
        <Amount value={match.money.amount} decimals={match.money.asset.decimals} slot={slot} />
      ),
      compare: (a, b) => compareDecimals(a.money.amount, b.money.amount),
      text: (match) => match.money.amount,
      filter: { kind: 'amount', of: (match) => match.money.amount },
    },
    {
      id: 'asset',
      head: t('Asset'),
      track: '4rem',
      cell: (match) => <Asset asset={match.money.asset} />,
      text: (match) => match.money.asset.symbol,
      filter: { kind: 'choice', of: (match) => [match.money.asset.symbol], word: (one) => one },
    },
    {
      id: 'rule',
      head: t('Rule'),
      track: 'minmax(4rem, max-content)',
      cell: (match) => match.rule,
      text: (match) => match.rule,
      filter: { kind: 'choice', of: (match) => [match.rule], word: (rule) => rule },
    },
    {
      id: 'evidence',
      head: t('Evidence'),
      track: 'max-content',
      cell: (match) => (
        <span className="flex items-baseline gap-2">
          <ShortHash hash={match.txHash} groups={2} />
          <span className="text-small text-ink3">{match.position}</span>
        </span>
      ),
      text: (match) => `${match.txHash} ${match.position}`,
      filter: { kind: 'text', of: (match) => match.txHash },
    },
  ];
}

function Matches(props: { matches: MatchView[]; number: number }) {
  const slot = widestFraction(
    props.matches.map((match) => ({
      amount: match.money.amount,
      decimals: match.money.asset.decimals,
    })),
  );
  const columns = useMemo(() => matchColumns(slot), [slot]);
  const table = useTableState({
    name: 'matches',
    of: String(props.number),
    label: t('Matched lines of run {number}', { number: props.number }),
    whole: t('All that agree'),
    rows: props.matches,
    columns,
  });
  return (
    <>
      <TableBar
        table={table}
        count={t('{shown} of {all, plural, one {# line} other {# lines}}', {
          shown: table.rows.length,
          all: table.all.length,
        })}
      />
      <Grid
        table={table}
        keyOf={(match) => `${match.batch} ${match.line}`}
        className="flex-1"
        empty={
          <Notice shape="note" title={t('No line matched')}>
            {t('The discrepancies say why.')}
          </Notice>
        }
      />
    </>
  );
}

/** One run: its groups, the discrepancies of a group, and both sides of one. */
export function RunScreen(props: {
  id: string;
  search: RunSearch;
  onSearch: (search: RunSearch) => void;
}) {
  const session = useSession();
  const zone = session.program.timeZone;
  const query = useRead('reconciliation_get', { id: props.id });
  const run = query.data;
  const firstOpen = run?.groups.find((group) => group.kind !== MATCHED && group.count > 0)?.kind;
  const group = props.search.group ?? firstOpen ?? MATCHED;
  const rows = useMemo(
    () => run?.discrepancies.filter((one) => one.kind === group) ?? [],
    [run, group],
  );
  const item = rows.find((one) => one.number === props.search.item) ?? rows[0];
  const label = run?.groups.find((one) => one.kind === group)?.label;
  useScreen([
    { label: t('Reconciliation'), to: '/reconciliation' },
    { label: run ? t('Run {number}', { number: run.summary.number }) : t('Run') },
    ...(label ? [{ label }] : []),
  ]);
  if (query.isError && !run) {
    return (
      <Failure
        error={query.error}
        title={t('This run could not be read')}
        onRetry={() => void query.refetch()}
      />
    );
  }
  if (!run) return <Waiting what={t('Reading the run')} />;
  const { summary } = run;
  return (
    <>
      <div className="border-b border-line2">
        <PageHead
          title={t('Run {number}', { number: summary.number })}
          beside={
            summary.open > 0 ? (
              <Status shape="differs">{t('{open} open', { open: summary.open })}</Status>
            ) : (
              <Status shape="executed">{t('Everything agrees')}</Status>
            )
          }
          below={
            <>
              <span>
                {t('Blocks {from} to {to}', {
                  from: countText(summary.blocks[0]),
                  to: countText(summary.blocks[1]),
                })}
              </span>
              <span>
                {t('Finished {at}', { at: dateTime(summary.completedAt, zone) })}{' '}
                {zoneName(summary.completedAt, zone)},{' '}
                {t('started {at} by {person}', {
                  at: clock(summary.startedAt, zone),
                  person: summary.startedBy,
                })}
              </span>
            </>
          }
          actions={
            <>
              <p className="pr-2 text-right">
                <span className="block text-title leading-6 font-semibold">
                  {summary.matchRate} %
                </span>
                <span className="block text-small text-ink3">
                  {t('{matched} of {lines} lines agree', {
                    matched: count(summary.matched),
                    lines: count(summary.lines),
                  })}
                </span>
              </p>
              <RunButton label={t('Run again')} />
            </>
          }
        />
        <div className="px-4 py-2.5">
          <Bar groups={run.groups} />
        </div>
      </div>
      <div className="flex min-h-0 flex-1 flex-col @4xl:flex-row">
        <Groups run={run} now={group} onGroup={(kind) => props.onSearch({ group: kind })} />
        <div className="flex min-h-0 min-w-0 flex-1 flex-col pt-1">
          {group === MATCHED ? (
            <Matches matches={run.matches} number={summary.number} />
          ) : rows.length === 0 ? (
            <Notice shape="executed" title={t('No line is in this group')} />
          ) : (
            <Discrepancies
              key={group}
              of={`${summary.number} ${group}`}
              rows={rows}
              item={item}
              onItem={(number) => props.onSearch({ group, item: number })}
            />
          )}
        </div>
      </div>
    </>
  );
}
