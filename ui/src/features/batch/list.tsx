import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { useRead } from '../../backend/use';
import type { BatchSummary, Money } from '../../contract/types';
import { Amount, Asset } from '../../kit/amount';
import { Button } from '../../kit/button';
import { PageHead } from '../../kit/layout';
import { LinkButton, TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Segments } from '../../kit/segments';
import { Failure, Notice, Waiting } from '../../kit/states';
import { State, Status, StatusIcon } from '../../kit/status';
import { dateTime, zoneName } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { Grid } from '../../table/grid';
import type { Column } from '../../table/model';
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
  const off = session.permissions.includes('create_batch')
    ? null
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
            {batch.source === 'FILE' ? t('File') : t('Commissions')} · {batch.preparedBy},{' '}
            {dateTime(batch.createdAt, zone)} {zoneName(batch.createdAt, zone)}
          </span>
        </span>
      ),
      compare: (a, b) => a.title.localeCompare(b.title),
    },
    {
      id: 'lines',
      head: t('Lines'),
      track: '4.5rem',
      end: true,
      cell: (batch) => batch.lines,
      compare: (a, b) => a.lines - b.lines,
    },
    {
      id: 'amount',
      head: t('Amount'),
      track: 'max-content',
      end: true,
      headPad: true,
      cell: (batch) => <TotalsCell totals={batch.totals} />,
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
    },
  ];
}

type View = 'all' | 'mine' | 'open' | 'done';
const DONE = ['EXECUTED', 'REJECTED', 'CANCELLED', 'FAILED'];

const VIEWS: Record<View, (batch: BatchSummary) => boolean> = {
  all: () => true,
  mine: (batch) => batch.waitsForMe,
  open: (batch) => !DONE.includes(batch.state),
  done: (batch) => DONE.includes(batch.state),
};

/** Every batch of the program, newest first. */
export function BatchListScreen() {
  const session = useSession();
  const navigate = useNavigate();
  const [view, setView] = useState<View>('all');
  const batches = useRead('batch_list', null, { every: 5_000 });
  useScreen([{ label: t('Batches') }]);
  const all = batches.data ?? [];
  const rows = all.filter(VIEWS[view]);
  return (
    <>
      <PageHead title={t('Batches')} actions={<NewBatchButtons />} />
      {batches.isPending ? <Waiting what={t('Reading batches')} /> : null}
      {batches.isError && !batches.data ? (
        <Failure error={batches.error} onRetry={() => void batches.refetch()} />
      ) : null}
      {batches.data ? (
        <>
          <div className="flex min-h-10 flex-wrap items-center gap-3 border-b border-line2 px-4 py-1.5">
            <Segments
              label={t('Which batches')}
              value={view}
              onChange={setView}
              options={[
                { id: 'all', label: t('All') },
                { id: 'mine', label: t('Waits for you') },
                { id: 'open', label: t('Open') },
                { id: 'done', label: t('Final') },
              ]}
            />
            <span className="ml-auto text-small text-ink3">
              {t('{shown} of {all, plural, one {# batch} other {# batches}}', {
                shown: rows.length,
                all: all.length,
              })}
            </span>
          </div>
          <Grid
            label={t('Batches')}
            rows={rows}
            columns={columnsOf(session.program.timeZone)}
            keyOf={(batch) => batch.id}
            rowRem={2.75}
            onOpen={(batch) => void navigate({ to: '/batches/$id', params: { id: batch.id } })}
            empty={
              all.length === 0 ? (
                <Notice
                  shape="approved"
                  title={t('There is no batch yet')}
                  actions={<NewBatchButtons />}
                >
                  {t(
                    'A batch is made from payable commissions or from a payout file. Nothing is paid before two other people agree.',
                  )}
                </Notice>
              ) : (
                <Notice
                  shape="note"
                  title={
                    view === 'mine' ? t('Nothing waits for you') : t('No batch is in this view')
                  }
                  actions={<Button onPress={() => setView('all')}>{t('Show all batches')}</Button>}
                >
                  {t('{all, plural, one {# batch is} other {# batches are}} under All.', {
                    all: all.length,
                  })}
                </Notice>
              )
            }
            className="flex-1"
          />
        </>
      ) : null}
    </>
  );
}
