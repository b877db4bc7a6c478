import { useNavigate } from '@tanstack/react-router';
import { useMemo } from 'react';
import { useRead } from '../../backend/use';
import type { BatchSummary, Money } from '../../contract/types';
import { Amount, Asset } from '../../kit/amount';
import { Button } from '../../kit/button';
import { PageHead } from '../../kit/layout';
import { LinkButton, TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { useServerOff } from '../../kit/server';
import { Failure, Notice, Waiting } from '../../kit/states';
import { State, Status, StatusIcon, stateLook } from '../../kit/status';
import { dateTime, dayOf, zoneName } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { TableBar } from '../../table/bar';
import type { Column } from '../../table/column';
import { Grid } from '../../table/grid';
import { useTableState } from '../../table/state';
import { useSession } from '../session/session';

/** Digits after the point on overviews; what is longer ends in an ellipsis. */
export const OVERVIEW_CUT = 4;

/** Totals under each other, one per asset, cut and never rounded. */
export function TotalsCell(props: { totals: Money[] }) {
  return (
    <span className="inline-grid grid-cols-[auto_3rem] items-baseline gap-x-2">
      {props.totals.slice(0, 2).map((total) => (
        <span key={total.asset.token ?? total.asset.symbol} className="contents leading-4.5">
          <span className="text-right">
            <Amount value={total.amount} decimals={total.asset.decimals} cut={OVERVIEW_CUT} />
          </span>
          <Asset asset={total.asset} />
        </span>
      ))}
      {props.totals.length > 2 ? (
        <span className="col-span-2 text-right text-small text-ink3">
          {t('and {more, plural, one {# more asset} other {# more assets}}', {
            more: props.totals.length - 2,
          })}
        </span>
      ) : null}
    </span>
  );
}

/** The two ways to a new batch, off with their reason for those who may not. */
export function NewBatchButtons() {
  const session = useSession();
  const serverOff = useServerOff();
  const off = session.permissions.includes('create_batch')
    ? serverOff
    : t('Needs the permission "create_batch"');
  const verify = <LinkButton to="/batches/file">{t('Verify a file…')}</LinkButton>;
  if (off) {
    return (
      <>
        {verify}
        <Button off={off} look="primary">
          {t('New batch…')}
        </Button>
      </>
    );
  }
  return (
    <>
      {verify}
      <LinkButton to="/batches/new/commissions">{t('From commissions…')}</LinkButton>
      <LinkButton to="/batches/new/file" look="primary">
        {t('From a file…')}
      </LinkButton>
    </>
  );
}

function columnsOf(zone: string): Column<BatchSummary>[] {
  return [
    {
      id: 'number',
      head: t('Number'),
      track: '4.5rem',
      end: true,
      cell: (batch) => <span className="text-ink3">{batch.number}</span>,
      compare: (a, b) => a.number - b.number,
      text: (batch) => String(batch.number),
      filter: { kind: 'amount', of: (batch) => String(batch.number) },
    },
    {
      id: 'title',
      head: t('Title'),
      track: 'minmax(15rem, 1fr)',
      cell: (batch) => (
        <span className="min-w-0">
          <TextLink
            to="/batches/$id"
            params={{ id: batch.id }}
            className="block truncate font-semibold text-ink"
            tabIndex={-1}
          >
            {batch.title}
          </TextLink>
          <span className="block truncate text-small text-ink3">
            {sourceWord(batch.source)} · {batch.preparedBy}, {dateTime(batch.createdAt, zone)}{' '}
            {zoneName(batch.createdAt, zone)}
          </span>
        </span>
      ),
      compare: (a, b) => a.title.localeCompare(b.title),
      text: (batch) => batch.title,
      filter: { kind: 'text', of: (batch) => batch.title },
    },
    {
      id: 'lines',
      head: t('Lines'),
      track: '4.5rem',
      end: true,
      cell: (batch) => batch.lines,
      compare: (a, b) => a.lines - b.lines,
      text: (batch) => String(batch.lines),
      filter: { kind: 'amount', of: (batch) => String(batch.lines) },
    },
    {
      id: 'amount',
      head: t('Amount'),
      track: 'max-content',
      end: true,
      headPad: true,
      cell: (batch) => <TotalsCell totals={batch.totals} />,
      text: (batch) => batch.totals.map((one) => `${one.amount} ${one.asset.symbol}`).join(' + '),
      filter: {
        kind: 'choice',
        of: (batch) => batch.totals.map((one) => one.asset.symbol),
        word: (symbol) => symbol,
      },
    },
    {
      id: 'state',
      head: t('State'),
      track: 'minmax(11rem, 13rem)',
      cell: (batch) => (
        <span className="min-w-0">
          {batch.frozen ? (
            <Status shape="frozen">{t('Frozen')}</Status>
          ) : (
            <State state={batch.state} />
          )}
          {batch.settled > 0 && batch.settled < batch.lines ? (
            <span className="block pl-5.5 text-small text-ink3">
              {t('{settled} of {lines} paid', { settled: batch.settled, lines: batch.lines })}
            </span>
          ) : null}
        </span>
      ),
      compare: (a, b) => a.state.localeCompare(b.state),
      text: (batch) => stateWord(stateOf(batch)),
      filter: { kind: 'choice', of: (batch) => [stateOf(batch)], word: stateWord },
    },
    {
      id: 'next',
      head: t('What is next'),
      track: 'minmax(13rem, 18rem)',
      cell: (batch) => (
        <span className="flex min-w-0 items-start gap-2">
          {batch.waitsForMe ? (
            <span className="pt-0.5">
              <StatusIcon shape="pending" />
            </span>
          ) : null}
          <span className={`min-w-0 ${batch.waitsForMe ? 'font-medium' : 'text-ink2'}`}>
            {batch.next}
            {batch.waitsForMe ? (
              <span className="block text-small font-normal text-ink3">{t('waits for you')}</span>
            ) : null}
          </span>
        </span>
      ),
      text: (batch) => batch.next,
      filter: {
        kind: 'choice',
        of: (batch) => [batch.waitsForMe ? ME : OTHERS],
        word: (whom) => (whom === ME ? t('waits for you') : t('does not wait for you')),
      },
    },
    {
      id: 'source',
      head: t('Made from'),
      track: '8rem',
      cell: (batch) => sourceWord(batch.source),
      compare: (a, b) => a.source.localeCompare(b.source),
      text: (batch) => sourceWord(batch.source),
      filter: { kind: 'choice', of: (batch) => [batch.source], word: sourceWord },
    },
    {
      id: 'preparedBy',
      head: t('Prepared by'),
      track: 'minmax(8rem, 13rem)',
      cell: (batch) => batch.preparedBy,
      compare: (a, b) => a.preparedBy.localeCompare(b.preparedBy),
      text: (batch) => batch.preparedBy,
      filter: { kind: 'choice', of: (batch) => [batch.preparedBy], word: (person) => person },
    },
    {
      id: 'created',
      head: t('Created'),
      track: '12rem',
      cell: (batch) => (
        <span>
          {dateTime(batch.createdAt, zone)}{' '}
          <span className="text-ink3">{zoneName(batch.createdAt, zone)}</span>
        </span>
      ),
      compare: (a, b) => a.createdAt.localeCompare(b.createdAt),
      text: (batch) => batch.createdAt,
      filter: { kind: 'day', of: (batch) => dayOf(batch.createdAt, zone) },
    },
  ];
}

const FROZEN = 'FROZEN';
const ME = 'me';
const OTHERS = 'others';
const DONE = ['EXECUTED', 'REJECTED', 'CANCELLED', 'FAILED'];

function stateOf(batch: BatchSummary): string {
  return batch.frozen ? FROZEN : batch.state;
}

function stateWord(state: string): string {
  return state === FROZEN ? t('Frozen') : stateLook(state).word;
}

function sourceWord(source: string): string {
  return source === 'FILE' ? t('File') : t('Commissions');
}

function BatchTable(props: { batches: BatchSummary[] }) {
  const zone = useSession().program.timeZone;
  const navigate = useNavigate();
  const columns = useMemo(() => columnsOf(zone), [zone]);
  const table = useTableState({
    name: 'batches',
    label: t('Batches'),
    whole: t('All batches'),
    rows: props.batches,
    columns,
    aside: ['source', 'preparedBy', 'created'],
    presets: [
      { name: t('Waits for you'), filters: [{ column: 'next', test: 'is', values: [ME] }] },
      { name: t('Open'), filters: [{ column: 'state', test: 'isNot', values: DONE }] },
      { name: t('Final'), filters: [{ column: 'state', test: 'is', values: DONE }] },
    ],
  });
  return (
    <>
      <TableBar
        table={table}
        count={t('{shown} of {all, plural, one {# batch} other {# batches}}', {
          shown: table.rows.length,
          all: table.all.length,
        })}
      />
      <Grid
        table={table}
        keyOf={(batch) => batch.id}
        rowRem={2.75}
        onOpen={(batch) => void navigate({ to: '/batches/$id', params: { id: batch.id } })}
        empty={
          <Notice shape="approved" title={t('There is no batch yet')} actions={<NewBatchButtons />}>
            {t(
              'A batch is made from payable commissions or from a payout file. Nothing is paid before two other people agree.',
            )}
          </Notice>
        }
        className="flex-1"
      />
    </>
  );
}

/** Every batch of the program, newest first. */
export function BatchListScreen() {
  const batches = useRead('batch_list', null, { every: 5_000 });
  useScreen([{ label: t('Batches') }]);
  return (
    <>
      <PageHead title={t('Batches')} actions={<NewBatchButtons />} />
      {batches.isPending ? <Waiting what={t('Reading batches')} /> : null}
      {batches.isError && !batches.data ? (
        <Failure error={batches.error} onRetry={() => void batches.refetch()} />
      ) : null}
      {batches.data ? <BatchTable batches={batches.data} /> : null}
    </>
  );
}
