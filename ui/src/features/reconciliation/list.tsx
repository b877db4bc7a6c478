import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useDo, useRead } from '../../backend/use';
import type { RunSummary } from '../../contract/types';
import { Button } from '../../kit/button';
import { compareDecimals } from '../../kit/decimal';
import { PageHead } from '../../kit/layout';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Notice, Waiting, useElapsed } from '../../kit/states';
import { Status } from '../../kit/status';
import { count, countText, dateTime, dayOf, span, zoneName } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { TableBar } from '../../table/bar';
import type { Column } from '../../table/column';
import { Grid } from '../../table/grid';
import { useTableState } from '../../table/state';
import { useSession } from '../session/session';

function columnsOf(zone: string): Column<RunSummary>[] {
  return [
    {
      id: 'number',
      head: t('Run'),
      track: '7rem',
      cell: (run) => (
        <TextLink
          to="/reconciliation/$id"
          params={{ id: run.id }}
          className="font-semibold text-ink"
          tabIndex={-1}
        >
          {t('Run {number}', { number: run.number })}
        </TextLink>
      ),
      compare: (a, b) => a.number - b.number,
      text: (run) => String(run.number),
    },
    {
      id: 'completed',
      head: t('Finished'),
      track: 'minmax(13rem, 1fr)',
      cell: (run) => (
        <span>
          {dateTime(run.completedAt, zone)}{' '}
          <span className="text-ink3">{zoneName(run.completedAt, zone)}</span>
        </span>
      ),
      compare: (a, b) => a.completedAt.localeCompare(b.completedAt),
      text: (run) => run.completedAt,
      filter: { kind: 'day', of: (run) => dayOf(run.completedAt, zone) },
    },
    {
      id: 'by',
      head: t('Started by'),
      track: 'minmax(10rem, 14rem)',
      cell: (run) => run.startedBy,
      compare: (a, b) => a.startedBy.localeCompare(b.startedBy),
      text: (run) => run.startedBy,
      filter: { kind: 'choice', of: (run) => [run.startedBy], word: (person) => person },
    },
    {
      id: 'blocks',
      head: t('Blocks'),
      track: 'minmax(11rem, 14rem)',
      cell: (run) => (
        <span className="text-ink2">
          {t('{from} to {to}', { from: countText(run.blocks[0]), to: countText(run.blocks[1]) })}
        </span>
      ),
      text: (run) => run.blocks.join(' '),
    },
    {
      id: 'lines',
      head: t('Lines'),
      track: '6rem',
      end: true,
      cell: (run) => count(run.lines),
      compare: (a, b) => a.lines - b.lines,
      text: (run) => String(run.lines),
      filter: { kind: 'amount', of: (run) => String(run.lines) },
    },
    {
      id: 'matched',
      head: t('Agree'),
      track: '6rem',
      end: true,
      cell: (run) => count(run.matched),
      compare: (a, b) => a.matched - b.matched,
      text: (run) => String(run.matched),
    },
    {
      id: 'rate',
      head: t('Match rate'),
      track: '7rem',
      end: true,
      cell: (run) => <strong className="font-semibold">{run.matchRate} %</strong>,
      compare: (a, b) => compareDecimals(a.matchRate, b.matchRate),
      text: (run) => run.matchRate,
      filter: { kind: 'amount', of: (run) => run.matchRate },
    },
    {
      id: 'open',
      head: t('Discrepancies'),
      track: '9rem',
      cell: (run) =>
        run.open > 0 ? (
          <Status shape="differs">{t('{open} open', { open: run.open })}</Status>
        ) : (
          <Status shape="executed">{t('None open')}</Status>
        ),
      compare: (a, b) => a.open - b.open,
      text: (run) => String(run.open),
      filter: { kind: 'amount', of: (run) => String(run.open) },
    },
  ];
}

/** Starts a run and opens it; says how long it has been at work. */
export function RunButton(props: { label: string }) {
  const navigate = useNavigate();
  const run = useDo('reconciliation_run', {
    onDone: ({ id }) => void navigate({ to: '/reconciliation/$id', params: { id } }),
  });
  const elapsed = useElapsed(run.isPending);
  return (
    <span className="flex flex-col items-end gap-1">
      <Button
        server
        look="primary"
        busy={run.isPending ? t('Comparing, {time}', { time: span(elapsed) }) : null}
        onPress={() => run.mutate(null)}
      >
        {props.label}
      </Button>
      {run.isError ? (
        <span className="max-w-96">
          <InlineFailure error={run.error} />
        </span>
      ) : null}
    </span>
  );
}

function RunTable(props: { runs: RunSummary[] }) {
  const zone = useSession().program.timeZone;
  const navigate = useNavigate();
  const columns = useMemo(() => columnsOf(zone), [zone]);
  const table = useTableState({
    name: 'runs',
    label: t('Reconciliation runs'),
    whole: t('All runs'),
    rows: props.runs,
    columns,
    presets: [
      {
        name: t('With open discrepancies'),
        filters: [{ column: 'open', test: 'atLeast', values: ['1'] }],
      },
    ],
  });
  return (
    <>
      <TableBar
        table={table}
        count={t('{shown} of {all, plural, one {# run} other {# runs}}', {
          shown: table.rows.length,
          all: table.all.length,
        })}
      />
      <Grid
        table={table}
        keyOf={(run) => run.id}
        onOpen={(run) => void navigate({ to: '/reconciliation/$id', params: { id: run.id } })}
        empty={
          <Notice shape="draft" title={t('Nothing is proven yet')}>
            {t(
              'A run reads the chain, compares every line with ledger and batch, and keeps what it found.',
            )}
          </Notice>
        }
        className="flex-1"
      />
    </>
  );
}

/** Every reconciliation run, newest first. */
export function RunListScreen() {
  useScreen([{ label: t('Reconciliation') }]);
  const runs = useRead('reconciliation_list', null);
  return (
    <>
      <PageHead
        title={t('Reconciliation')}
        beside={<span className="text-ink3">{t('ledger, batches and chain, line by line')}</span>}
        actions={<RunButton label={t('Run reconciliation')} />}
      />
      {runs.isPending ? <Waiting what={t('Reading runs')} /> : null}
      {runs.isError && !runs.data ? (
        <Failure error={runs.error} onRetry={() => void runs.refetch()} />
      ) : null}
      {runs.data ? <RunTable runs={runs.data} /> : null}
    </>
  );
}
