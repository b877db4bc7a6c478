import type { RowSelectionState } from '@tanstack/react-table';
import { useMemo } from 'react';
import type { BatchDetail, LegView, PayoutLine, Warning } from '../../contract/types';
import { Address } from '../../kit/address';
import { Amount, Asset } from '../../kit/amount';
import { compareDecimals, widestFraction } from '../../kit/decimal';
import { t } from '../../kit/say';
import { Button } from '../../kit/button';
import { State, StatusIcon, levelShape, levelWord, stateLook } from '../../kit/status';
import { countText } from '../../kit/time';
import { TableBar } from '../../table/bar';
import type { Column } from '../../table/column';
import { Grid, type Sum } from '../../table/grid';
import { sumByAsset, useShowChosen } from '../../table/selection';
import { type TableState, useTableState } from '../../table/state';
import { stoppedLines } from './actions';

/** What is known of a line, with the mark of whoever returned it first. */
function shownWarnings(line: PayoutLine): Warning[] {
  if (line.mark === null) return line.warnings;
  const mark: Warning = {
    level: 'BLOCK',
    title: t('Marked when it was returned'),
    detail: line.mark,
    advice: t('Take it out, or submit it again if it is right'),
  };
  return [mark, ...line.warnings];
}

/** A warning in two lines: what, and what it means. */
function WarningCell(props: { line: PayoutLine }) {
  const warnings = shownWarnings(props.line);
  const first = warnings[0];
  if (!first) return <span className="text-ink3">{t('No warning')}</span>;
  const more = warnings.length - 1;
  const tone = first.level === 'CHECK' ? 'text-warn' : first.level === 'BLOCK' ? 'text-danger' : '';
  const all = warnings.map((one) => `${one.title}: ${one.detail}. ${one.advice}`).join('\n');
  return (
    <span className="flex min-w-0 gap-2" title={all}>
      <span className="pt-0.5">
        <StatusIcon shape={levelShape(first.level)} />
      </span>
      <span className="min-w-0">
        <span className={`block truncate leading-4.5 ${tone} ${tone ? 'font-medium' : ''}`}>
          <span className="sr-only">{levelWord(first.level)}: </span>
          {first.title}
          {more > 0 ? (
            <span className="font-normal text-ink3"> {t('and {more} more', { more })}</span>
          ) : null}
        </span>
        <span className="block truncate text-small text-ink3">{first.detail}</span>
      </span>
    </span>
  );
}

/** State of a line, and the evidence that it is paid. */
function LineState(props: { line: PayoutLine }) {
  const { evidence, state } = props.line;
  return (
    <span key={state} className="changed min-w-0">
      <State state={state} />
      {evidence ? (
        <span className="block truncate pl-5.5 text-small text-ink3" title={evidence.txHash}>
          {t('block {block}, {position}', {
            block: countText(evidence.block),
            position: evidence.position,
          })}
        </span>
      ) : null}
    </span>
  );
}

function slotOf(batch: BatchDetail): number {
  return widestFraction(
    [...batch.lines.map((line) => line.money), ...batch.summary.totals].map((money) => ({
      amount: money.amount,
      decimals: money.asset.decimals,
    })),
  );
}

function columnsOf(batch: BatchDetail, moving: boolean): Column<PayoutLine>[] {
  const slot = slotOf(batch);
  const columns: Column<PayoutLine>[] = [
    {
      id: 'line',
      head: t('Line'),
      track: '2.75rem',
      end: true,
      cell: (line) => <span className="text-ink3">{line.line}</span>,
      compare: (a, b) => a.line - b.line,
      text: (line) => String(line.line),
      filter: { kind: 'amount', of: (line) => String(line.line) },
    },
    {
      id: 'payee',
      head: t('Payee, reference, address'),
      track: 'minmax(22rem, 1fr)',
      cell: (line) => (
        <span className="min-w-0">
          <span className="flex items-baseline gap-2">
            {line.payee ? <span className="truncate font-medium">{line.payee}</span> : null}
            {line.reference ? (
              <span className="truncate text-small text-ink3">{line.reference}</span>
            ) : null}
            {!line.payee && !line.reference ? (
              <span className="text-small text-ink3">{t('Not in the address book')}</span>
            ) : null}
            {line.commissions > 0 ? (
              <span className="text-small text-ink3">
                {t('{count, plural, one {# commission} other {# commissions}}', {
                  count: line.commissions,
                })}
              </span>
            ) : null}
          </span>
          <Address address={line.recipient} />
        </span>
      ),
      compare: (a, b) => (a.payee ?? a.recipient).localeCompare(b.payee ?? b.recipient),
      text: whoIs,
      filter: { kind: 'text', of: whoIs },
    },
    {
      id: 'amount',
      head: t('Amount'),
      track: 'max-content',
      end: true,
      cell: (line) => (
        <Amount value={line.money.amount} decimals={line.money.asset.decimals} slot={slot} />
      ),
      compare: (a, b) => compareDecimals(a.money.amount, b.money.amount),
      text: (line) => line.money.amount,
      filter: { kind: 'amount', of: (line) => line.money.amount },
    },
    {
      id: 'asset',
      head: t('Asset'),
      track: '3.25rem',
      cell: (line) => <Asset asset={line.money.asset} />,
      text: (line) => line.money.asset.symbol,
      filter: { kind: 'choice', of: (line) => [line.money.asset.symbol], word: (one) => one },
    },
  ];
  if (moving) {
    columns.push({
      id: 'state',
      head: t('State'),
      track: 'minmax(11.5rem, 15rem)',
      cell: (line) => <LineState line={line} />,
      compare: (a, b) => a.state.localeCompare(b.state),
      text: (line) => stateLook(line.state).word,
      filter: { kind: 'choice', of: (line) => [line.state], word: (one) => stateLook(one).word },
    });
  } else {
    columns.push({
      id: 'warning',
      head: t('Warning'),
      track: 'minmax(11.5rem, 15rem)',
      cell: (line) => <WarningCell line={line} />,
      compare: (a, b) => rank(b) - rank(a),
      text: (line) =>
        shownWarnings(line)
          .map((one) => one.title)
          .join('; '),
      filter: { kind: 'choice', of: (line) => [worst(line)], word: worstWord },
    });
  }
  return columns;
}

function groupSum(
  leg: LegView | undefined,
  rows: PayoutLine[],
  slot: number,
  moving: boolean,
): Sum {
  if (!leg) {
    return {
      label: t('{lines, plural, one {# line} other {# lines}}, no plan yet', {
        lines: rows.length,
      }),
      cells: {},
    };
  }
  const total = leg.totals[0];
  const one = leg.totals.length === 1 && total ? total : null;
  return {
    label: (
      <span>
        <strong className="font-semibold">{t('Leg {leg}', { leg: leg.index })}</strong>{' '}
        <span className="text-ink3">
          {leg.nonce === null
            ? t('{transfers, plural, one {# transfer} other {# transfers}}', {
                transfers: leg.transfers,
              })
            : t('nonce {nonce}, {transfers, plural, one {# transfer} other {# transfers}}', {
                nonce: leg.nonce,
                transfers: leg.transfers,
              })}
        </span>
      </span>
    ),
    cells: {
      line: '',
      amount: one ? (
        <Amount value={one.amount} decimals={one.asset.decimals} slot={slot} />
      ) : (
        <span className="text-small text-ink3">
          {t('{count} assets, no sum', { count: leg.totals.length })}
        </span>
      ),
      asset: one ? <Asset asset={one.asset} /> : '',
      ...(moving ? { state: <State state={leg.state} /> } : {}),
    },
  };
}

/** Serious before many. */
function rank(line: PayoutLine): number {
  const weights = { BLOCK: 1_000_000, UNKNOWN: 10_000, CHECK: 100, NOTE: 1, OK: 0 };
  return shownWarnings(line).reduce((sum, one) => sum + weights[one.level], 0);
}

/** What a line asks of its reader. */
type Worst = 'check' | 'note' | 'none';

function worst(line: PayoutLine): Worst {
  const levels = shownWarnings(line).map((one) => one.level);
  if (levels.some((level) => level === 'CHECK' || level === 'BLOCK' || level === 'UNKNOWN'))
    return 'check';
  return levels.length > 0 ? 'note' : 'none';
}

function worstWord(value: string): string {
  if (value === 'check') return t('to check');
  return value === 'note' ? t('a note') : t('none');
}

/** Everything by which a payee is looked for. */
function whoIs(line: PayoutLine): string {
  return [line.payee, line.reference, line.recipient].filter(Boolean).join(' ');
}

/** A pill that sets the filter of its kind and takes it away again. */
function WorstPill(props: {
  table: TableState<PayoutLine>;
  value: Worst;
  count: number;
  label: string;
}) {
  const { table, value } = props;
  const { filters } = table.arrangement;
  const mine = filters.find(
    (one) => one.column === 'warning' && one.test === 'is' && one.values.join() === value,
  );
  const others = filters.filter((one) => one.column !== 'warning');
  return (
    <button
      type="button"
      aria-pressed={Boolean(mine)}
      onClick={() =>
        table.change({
          filters: mine ? others : [...others, { column: 'warning', test: 'is', values: [value] }],
        })
      }
      className={`inline-flex min-h-6 items-center gap-1.5 rounded-pill border px-2 ${
        value === 'check' && props.count > 0
          ? 'border-warn bg-warn-soft font-medium text-warn'
          : 'border-line2 text-ink2'
      } ${mine ? 'outline-2 outline-accent' : ''}`}
    >
      <StatusIcon
        shape={value === 'check' ? 'check' : 'note'}
        tone={value === 'check' && props.count === 0 ? 'muted' : undefined}
      />
      {props.label}
    </button>
  );
}

/** One button for all lines that nothing may pay as they are. */
function TakeOut(props: { batch: BatchDetail; onTakeOut: () => void }) {
  const action = props.batch.allowed.find((one) => one.name === 'TAKE_OUT');
  const lines = stoppedLines(props.batch.lines).length;
  if (!action || lines === 0 || props.batch.summary.state !== 'DRAFT') return null;
  const all = lines === props.batch.lines.length;
  const off = action.enabled ? null : (action.reason ?? t('Not possible now'));
  return (
    <Button
      look="danger"
      off={off ?? (all ? t('No line would be left: cancel the batch instead') : null)}
      onPress={props.onTakeOut}
    >
      {t('{lines, plural, one {Take out # marked line…} other {Take out # marked lines…}}', {
        lines,
      })}
    </Button>
  );
}

/** The lines of a batch, grouped by the leg that pays them. */
export function Lines(props: {
  batch: BatchDetail;
  moving: boolean;
  selected: RowSelectionState;
  onSelect: (selected: RowSelectionState) => void;
  onTakeOut: () => void;
}) {
  const { batch, moving, selected } = props;
  const columns = useMemo(() => columnsOf(batch, moving), [batch, moving]);
  const { summary } = batch;
  const table = useTableState({
    name: moving ? 'moving lines' : 'lines',
    of: summary.id,
    label: t('Lines of batch {number}', { number: summary.number }),
    whole: t('Plan order'),
    rows: batch.lines,
    columns,
    presets: moving
      ? []
      : [
          {
            name: t('Only what is to check'),
            filters: [{ column: 'warning', test: 'is', values: ['check'] }],
          },
        ],
  });
  const slot = slotOf(batch);
  useShowChosen(batch.lines.filter((line) => selected[line.id]).map((line) => line.money));
  const checks = batch.lines.filter((line) => worst(line) === 'check').length;
  const notes = batch.lines.filter((line) => worst(line) === 'note').length;
  const { rows } = table;
  const payees = new Set(rows.map((line) => line.recipient)).size;
  return (
    <>
      <TableBar
        table={table}
        count={t('{shown} of {lines, plural, one {# line} other {# lines}}', {
          shown: rows.length,
          lines: summary.lines,
        })}
      >
        <TakeOut batch={batch} onTakeOut={props.onTakeOut} />
        {moving ? null : (
          <>
            <WorstPill
              table={table}
              value="check"
              count={checks}
              label={t('{checks} to check', { checks })}
            />
            <WorstPill
              table={table}
              value="note"
              count={notes}
              label={t('{notes, plural, one {# note} other {# notes}}', { notes })}
            />
          </>
        )}
      </TableBar>
      <Grid
        table={table}
        keyOf={(line) => line.id}
        rowRem={2.5}
        groupOf={(line) => String(line.leg ?? 0)}
        groupSum={(group) => {
          const leg = batch.legs.find((one) => one.index === group[0]?.leg);
          return groupSum(leg, group, slot, moving);
        }}
        selection={{
          selected,
          onChange: props.onSelect,
          labelOf: (line) => t('Select line {line}', { line: line.line }),
        }}
        totals={sumByAsset(rows.map((line) => line.money)).map((total, index) => ({
          label:
            index === 0
              ? t(
                  '{lines, plural, one {# line} other {# lines}}, {payees, plural, one {# payee} other {# payees}}',
                  { lines: rows.length, payees },
                )
              : '',
          cells: {
            line: '',
            amount: <Amount value={total.amount} decimals={total.asset.decimals} slot={slot} />,
            asset: <Asset asset={total.asset} />,
          },
        }))}
        className="flex-1"
      />
    </>
  );
}
