import { useMemo, useState } from 'react';
import { useDo, useRead } from '../../backend/use';
import type {
  ExportView,
  ExportWritten,
  JournalPreview,
  JournalRow,
  JournalTotal,
  Period,
} from '../../contract/types';
import { Amount, Asset } from '../../kit/amount';
import { Button } from '../../kit/button';
import { widestFraction } from '../../kit/decimal';
import { TextField } from '../../kit/field';
import { PlainHash, ShortHash } from '../../kit/hash';
import { PageHead } from '../../kit/layout';
import { t } from '../../kit/say';
import { Segments } from '../../kit/segments';
import { Failure, InlineFailure, Notice, useElapsed, Waiting } from '../../kit/states';
import { Status } from '../../kit/status';
import { count, dateTime, dayOf, span, zoneName } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { TableBar } from '../../table/bar';
import type { Column } from '../../table/column';
import { Grid } from '../../table/grid';
import { useTableState } from '../../table/state';
import { useSession } from '../session/session';
import { dateWrong, monthOf, yearOf } from './period';

function journalColumns(slot: number): Column<JournalRow & { key: string }>[] {
  const amount = (
    id: string,
    head: string,
    of: (row: JournalRow) => string,
  ): Column<JournalRow & { key: string }> => ({
    id,
    head,
    track: 'max-content',
    end: true,
    cell: (row) =>
      of(row) === '' ? null : <Amount value={of(row)} decimals={row.asset.decimals} slot={slot} />,
    text: of,
  });
  return [
    {
      id: 'entry',
      head: t('Entry'),
      track: '6.5rem',
      end: true,
      cell: (row) => <span className="whitespace-nowrap text-ink3">{row.entry}</span>,
      text: (row) => row.entry,
    },
    {
      id: 'date',
      head: t('Date'),
      track: '6.5rem',
      cell: (row) => row.date,
      text: (row) => row.date,
    },
    {
      id: 'account',
      head: t('Account'),
      track: 'minmax(14rem, 1fr)',
      cell: (row) => (
        <span className="min-w-0">
          <span className="block truncate leading-4.5 font-medium">{row.name}</span>
          <span className="block truncate font-mono text-small text-ink3" title={row.account}>
            {row.account}
          </span>
        </span>
      ),
      text: (row) => row.account,
    },
    amount('debit', t('Debit'), (row) => row.debit),
    amount('credit', t('Credit'), (row) => row.credit),
    {
      id: 'asset',
      head: t('Asset'),
      track: '4rem',
      cell: (row) => <Asset asset={row.asset} />,
      text: (row) => row.asset.symbol,
    },
    {
      id: 'narration',
      head: t('What happened'),
      track: 'minmax(13rem, 1fr)',
      cell: (row) => (
        <span className="min-w-0">
          <span className="block truncate leading-4.5" title={row.narration}>
            {row.narration}
          </span>
          <span className="block truncate text-small text-ink3">{row.reference}</span>
        </span>
      ),
      text: (row) => [row.narration, row.reference].filter(Boolean).join(', '),
    },
  ];
}

/** Whether each asset's debits and credits are the same text; they are exact, so they must be. */
function balanced(totals: JournalTotal[]): boolean {
  return totals.every((total) => total.debits === total.credits);
}

function PreviewView(props: { period: Period }) {
  const preview = useRead('export_preview', props.period);
  if (preview.isPending) return <Waiting what={t('Reading the journal')} />;
  if (preview.isError)
    return <Failure error={preview.error} onRetry={() => void preview.refetch()} />;
  return <JournalTable preview={preview.data} />;
}

function JournalTable(props: { preview: JournalPreview }) {
  const { first, rows, totals } = props.preview;
  const slot = widestFraction([
    ...first.map((row) => ({
      amount: row.debit || row.credit || '0',
      decimals: row.asset.decimals,
    })),
    ...totals.map((total) => ({ amount: total.debits, decimals: total.asset.decimals })),
  ]);
  const keyed = useMemo(() => first.map((row, index) => ({ ...row, key: `${index}` })), [first]);
  const columns = useMemo(() => journalColumns(slot), [slot]);
  const table = useTableState({ name: 'journal', label: t('Journal'), rows: keyed, columns });
  return (
    <>
      <div className="flex min-h-9 flex-wrap items-center gap-x-4 border-b border-line2 px-4 py-1">
        {totals.length === 0 ? null : balanced(totals) ? (
          <Status shape="executed">{t('Debits equal credits')}</Status>
        ) : (
          <Status shape="differs">{t('Debits and credits differ')}</Status>
        )}
        <span className="ml-auto text-small text-ink3">
          {rows > first.length
            ? t('the first {shown} of {rows} lines', {
                shown: count(first.length),
                rows: count(rows),
              })
            : t('{rows, plural, one {# line} other {# lines}}', { rows })}
        </span>
      </div>
      <Grid
        table={table}
        keyOf={(row) => row.key}
        rowRem={2.5}
        totals={totals.map((total, index) => ({
          label: index === 0 ? t('All {rows} lines', { rows: count(rows) }) : '',
          cells: {
            debit: <Amount value={total.debits} decimals={total.asset.decimals} slot={slot} />,
            credit: <Amount value={total.credits} decimals={total.asset.decimals} slot={slot} />,
            asset: <Asset asset={total.asset} />,
            narration: (
              <span className="font-normal text-ink3">
                {t('{entries, plural, one {# entry} other {# entries}}', {
                  entries: total.entries,
                })}
              </span>
            ),
          },
        }))}
        empty={
          <Notice shape="note" title={t('Nothing was posted in this period')}>
            {t('Choose another period. Days follow the time zone of the program.')}
          </Notice>
        }
        className="flex-1"
      />
    </>
  );
}

function exportColumns(zone: string): Column<ExportView>[] {
  return [
    {
      id: 'at',
      head: t('Written'),
      track: '13rem',
      cell: (one) => (
        <span>
          {dateTime(one.at, zone)} <span className="text-ink3">{zoneName(one.at, zone)}</span>
        </span>
      ),
      compare: (a, b) => a.at.localeCompare(b.at),
      text: (one) => one.at,
      filter: { kind: 'day', of: (one) => dayOf(one.at, zone) },
    },
    {
      id: 'person',
      head: t('By'),
      track: 'minmax(9rem, 13rem)',
      cell: (one) => one.person,
      compare: (a, b) => a.person.localeCompare(b.person),
      text: (one) => one.person,
      filter: { kind: 'choice', of: (one) => [one.person], word: (person) => person },
    },
    {
      id: 'kind',
      head: t('What'),
      track: '9rem',
      cell: (one) => one.kind,
      text: (one) => one.kind,
      filter: { kind: 'choice', of: (one) => [one.kind], word: (kind) => kind },
    },
    {
      id: 'period',
      head: t('Period'),
      track: '13rem',
      cell: (one) => t('{from} to {to}', { from: one.period.from, to: one.period.to }),
      text: (one) => `${one.period.from} ${one.period.to}`,
    },
    {
      id: 'file',
      head: t('File'),
      track: 'minmax(14rem, 1fr)',
      cell: (one) => <span className="truncate font-mono text-small">{one.fileName}</span>,
      text: (one) => one.fileName,
      filter: { kind: 'text', of: (one) => one.fileName },
    },
    {
      id: 'rows',
      head: t('Lines'),
      track: '6rem',
      end: true,
      cell: (one) => count(one.rows),
      compare: (a, b) => a.rows - b.rows,
      text: (one) => String(one.rows),
    },
    {
      id: 'sha',
      head: t('SHA-256'),
      track: '13rem',
      cell: (one) => <ShortHash hash={one.sha256} />,
      text: (one) => one.sha256,
      filter: { kind: 'text', of: (one) => one.sha256 },
    },
  ];
}

function ExportTable(props: { exports: ExportView[] }) {
  const zone = useSession().program.timeZone;
  const columns = useMemo(() => exportColumns(zone), [zone]);
  const table = useTableState({
    name: 'exports',
    label: t('Exports'),
    whole: t('All files'),
    rows: props.exports,
    columns,
  });
  return (
    <>
      <TableBar
        table={table}
        count={t('{shown} of {all, plural, one {# file} other {# files}}', {
          shown: table.rows.length,
          all: table.all.length,
        })}
      />
      <Grid
        table={table}
        keyOf={(one) => one.id}
        empty={
          <Notice shape="draft" title={t('Nothing has left the house yet')}>
            {t('Every file that is exported is listed here with its SHA-256, for good.')}
          </Notice>
        }
        className="flex-1"
      />
    </>
  );
}

function ExportList() {
  const list = useRead('export_list', null);
  if (list.isPending) return <Waiting what={t('Reading exports')} />;
  if (list.isError) return <Failure error={list.error} onRetry={() => void list.refetch()} />;
  return <ExportTable exports={list.data} />;
}

function Written(props: { written: ExportWritten }) {
  const { written } = props;
  return (
    <div role="status" className="border-b border-line2 bg-ok-soft">
      <Notice
        shape="executed"
        title={t('{rows, plural, one {# line is} other {# lines are}} written', {
          rows: written.export.rows,
        })}
      >
        <p>
          <PlainHash hash={written.path} className="text-ink" />
        </p>
        <p className="text-small">
          {t('SHA-256')} <PlainHash hash={written.export.sha256} />
        </p>
      </Notice>
    </div>
  );
}

/** The journal as a file for the accounting package, and every file that was made. */
export function ExportScreen() {
  useScreen([{ label: t('Exports') }]);
  const session = useSession();
  const [view, setView] = useState<'journal' | 'list'>('journal');
  const [period, setPeriod] = useState<Period>(() =>
    monthOf(new Date(), session.program.timeZone, 0),
  );
  const write = useDo('export_journal');
  const elapsed = useElapsed(write.isPending);
  const wrong = dateWrong(period);
  const off = !session.permissions.includes('export')
    ? t('Needs the permission "export"')
    : (wrong.from ?? wrong.to ?? null);
  const preset = (make: () => Period, label: string) => (
    <Button key={label} look="quiet" onPress={() => setPeriod(make())}>
      {label}
    </Button>
  );
  const zone = session.program.timeZone;
  return (
    <>
      <PageHead
        title={t('Exports')}
        beside={
          <span className="text-ink3">{t('the journal as CSV, exact to the last base unit')}</span>
        }
        actions={
          <Button
            server
            look="primary"
            off={off}
            busy={
              write.isPending
                ? t('Waiting for the save dialog, {time}', { time: span(elapsed) })
                : null
            }
            onPress={() => write.mutate(period)}
          >
            {t('Export journal…')}
          </Button>
        }
      />
      {write.isError ? (
        <div className="border-b border-line2 bg-danger-soft px-4 py-2">
          <InlineFailure error={write.error} />
        </div>
      ) : null}
      {write.isSuccess && write.data ? <Written written={write.data} /> : null}
      {write.isSuccess && write.data === null ? (
        <p role="status" className="border-b border-line2 px-4 py-2 text-ink2">
          {t('You closed the save dialog. Nothing was written.')}
        </p>
      ) : null}
      <div className="flex flex-wrap items-start gap-x-4 gap-y-2 border-b border-line2 px-4 py-2">
        <div className="self-center">
          <Segments
            label={t('Show')}
            value={view}
            onChange={setView}
            options={[
              { id: 'journal', label: t('Preview') },
              { id: 'list', label: t('Exported files') },
            ]}
          />
        </div>
        {view === 'journal' ? (
          <>
            <div className="w-32">
              <TextField
                label={t('From')}
                value={period.from}
                onChange={(from) => setPeriod({ ...period, from })}
                error={wrong.from}
                mono
              />
            </div>
            <div className="w-32">
              <TextField
                label={t('To')}
                value={period.to}
                onChange={(to) => setPeriod({ ...period, to })}
                error={wrong.to}
                mono
              />
            </div>
            <div className="flex flex-wrap self-center">
              {preset(() => monthOf(new Date(), zone, 0), t('This month'))}
              {preset(() => monthOf(new Date(), zone, -1), t('Last month'))}
              {preset(() => yearOf(new Date(), zone), t('This year'))}
            </div>
          </>
        ) : null}
      </div>
      {view === 'list' ? (
        <ExportList />
      ) : wrong.from || wrong.to ? (
        <Notice shape="check" title={t('The period is not complete')}>
          {wrong.from ?? wrong.to}
        </Notice>
      ) : (
        <PreviewView period={period} />
      )}
    </>
  );
}
