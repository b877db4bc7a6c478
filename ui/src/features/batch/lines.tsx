import type { RowSelectionState } from '@tanstack/react-table';
import { useMemo, useState } from 'react';
import type { BatchDetail, LegView, PayoutLine, Warning } from '../../contract/types';
import { Address } from '../../kit/address';
import { Amount, Asset } from '../../kit/amount';
import { compareDecimals, widestFraction } from '../../kit/decimal';
import { t } from '../../kit/say';
import { Notice } from '../../kit/states';
import { Button } from '../../kit/button';
import { State, StatusIcon, levelShape, levelWord } from '../../kit/status';
import { countText } from '../../kit/time';
import { Grid } from '../../table/grid';
import type { Column } from '../../table/model';
import { useShowChosen } from '../../table/selection';
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

function columnsOf(batch: BatchDetail, moving: boolean): Column<PayoutLine>[] {
  const slot = widestFraction([
    ...batch.lines.map((line) => ({
      amount: line.money.amount,
      decimals: line.money.asset.decimals,
    })),
    ...batch.summary.totals.map((total) => ({
      amount: total.amount,
      decimals: total.asset.decimals,
    })),
  ]);
  const columns: Column<PayoutLine>[] = [
    {
      id: 'line',
      head: t('Line'),
      track: '2.75rem',
      end: true,
      cell: (line) => <span className="text-ink3">{line.line}</span>,
      compare: (a, b) => a.line - b.line,
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
    },
    {
      id: 'asset',
      head: t('Asset'),
      track: '3.25rem',
      cell: (line) => <Asset asset={line.money.asset} />,
    },
  ];
  if (moving) {
    columns.push({
      id: 'state',
      head: t('State'),
      track: 'minmax(11.5rem, 15rem)',
      cell: (line) => <LineState line={line} />,
      compare: (a, b) => a.state.localeCompare(b.state),
    });
  } else {
    columns.push({
      id: 'warning',
      head: t('Warning'),
      track: 'minmax(11.5rem, 15rem)',
      cell: (line) => <WarningCell line={line} />,
      compare: (a, b) => rank(b) - rank(a),
    });
  }
  return columns;
}

function groupCells(leg: LegView | undefined, rows: PayoutLine[], slot: number, moving: boolean) {
  if (!leg) {
    return [
      '',
      <span key="t">
        {t('{lines, plural, one {# line} other {# lines}}, no plan yet', { lines: rows.length })}
      </span>,
      '',
      '',
      '',
    ];
  }
  const total = leg.totals[0];
  return [
    '',
    <span key="leg">
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
    </span>,
    leg.totals.length === 1 && total ? (
      <Amount key="amount" value={total.amount} decimals={total.asset.decimals} slot={slot} />
    ) : (
      <span key="amount" className="text-small text-ink3">
        {t('{count} assets, no sum', { count: leg.totals.length })}
      </span>
    ),
    leg.totals.length === 1 && total ? <Asset key="asset" asset={total.asset} /> : '',
    moving ? <State key="state" state={leg.state} /> : '',
  ];
}

/** Serious before many. */
function rank(line: PayoutLine): number {
  const weights = { BLOCK: 1_000_000, UNKNOWN: 10_000, CHECK: 100, NOTE: 1, OK: 0 };
  return shownWarnings(line).reduce((sum, one) => sum + weights[one.level], 0);
}

type Show = 'all' | 'check' | 'note';

function worst(line: PayoutLine): Show {
  if (
    shownWarnings(line).some(
      (one) => one.level === 'CHECK' || one.level === 'BLOCK' || one.level === 'UNKNOWN',
    )
  )
    return 'check';
  return line.warnings.length > 0 ? 'note' : 'all';
}

function ShowPill(props: {
  show: Show;
  now: Show;
  onShow: (show: Show) => void;
  count: number;
  label: string;
}) {
  const on = props.show === props.now;
  return (
    <button
      type="button"
      aria-pressed={on}
      onClick={() => props.onShow(on ? 'all' : props.show)}
      className={`inline-flex min-h-6 items-center gap-1.5 rounded-pill border px-2 ${
        props.show === 'check' && props.count > 0
          ? 'border-warn bg-warn-soft font-medium text-warn'
          : 'border-line2 text-ink2'
      } ${on ? 'outline-2 outline-accent' : ''}`}
    >
      <StatusIcon
        shape={props.show === 'check' ? 'check' : 'note'}
        tone={props.show === 'check' && props.count === 0 ? 'muted' : undefined}
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
  const [show, setShow] = useState<Show>('all');
  const columns = useMemo(() => columnsOf(batch, moving), [batch, moving]);
  const slot = widestFraction([
    ...batch.lines.map((line) => ({
      amount: line.money.amount,
      decimals: line.money.asset.decimals,
    })),
    ...batch.summary.totals.map((total) => ({
      amount: total.amount,
      decimals: total.asset.decimals,
    })),
  ]);
  const rows = useMemo(
    () => batch.lines.filter((line) => show === 'all' || worst(line) === show),
    [batch.lines, show],
  );
  useShowChosen(batch.lines.filter((line) => selected[line.id]).map((line) => line.money));
  const checks = batch.lines.filter((line) => worst(line) === 'check').length;
  const notes = batch.lines.filter((line) => worst(line) === 'note').length;
  const { summary } = batch;
  const totals = summary.totals.map((total, index) => [
    '',
    index === 0
      ? t(
          '{lines, plural, one {# line} other {# lines}}, {payees, plural, one {# payee} other {# payees}}',
          {
            lines: summary.lines,
            payees: summary.payees,
          },
        )
      : '',
    <Amount key="amount" value={total.amount} decimals={total.asset.decimals} slot={slot} />,
    <Asset key="asset" asset={total.asset} />,
    '',
  ]);
  return (
    <>
      <div className="flex min-h-10 flex-wrap items-center gap-2 border-b border-line2 px-4 py-1.5">
        <span className="font-medium">{t('Plan order')}</span>
        <TakeOut batch={batch} onTakeOut={props.onTakeOut} />
        <span className="ml-auto" />
        <ShowPill
          show="check"
          now={show}
          onShow={setShow}
          count={checks}
          label={t('{checks} to check', { checks })}
        />
        <ShowPill
          show="note"
          now={show}
          onShow={setShow}
          count={notes}
          label={t('{notes, plural, one {# note} other {# notes}}', { notes })}
        />
        <span className="text-small text-ink3">
          {t('{shown} of {lines, plural, one {# line} other {# lines}}', {
            shown: rows.length,
            lines: summary.lines,
          })}
        </span>
      </div>
      <Grid
        label={t('Lines of batch {number}', { number: summary.number })}
        rows={rows}
        columns={columns}
        keyOf={(line) => line.id}
        rowRem={2.5}
        groupOf={(line) => String(line.leg ?? 0)}
        groupCells={(group) => {
          const leg = batch.legs.find((one) => one.index === group[0]?.leg);
          return groupCells(leg, group, slot, moving);
        }}
        selection={{
          selected,
          onChange: props.onSelect,
          labelOf: (line) => t('Select line {line}', { line: line.line }),
        }}
        totals={totals}
        empty={
          <Notice
            shape="note"
            title={show === 'check' ? t('No line has to be checked') : t('No line has a note')}
            actions={<Button onPress={() => setShow('all')}>{t('Show all lines')}</Button>}
          />
        }
        className="flex-1"
      />
    </>
  );
}
