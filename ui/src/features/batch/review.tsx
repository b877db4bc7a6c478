import { useNavigate } from '@tanstack/react-router';
import type { RowSelectionState } from '@tanstack/react-table';
import { useMemo, useState } from 'react';
import { useRead } from '../../backend/use';
import type { Action, ActionName, BatchDetail } from '../../contract/types';
import { Button, type Look } from '../../kit/button';
import { ShortHash } from '../../kit/hash';
import { PageHead, WithSide } from '../../kit/layout';
import { t } from '../../kit/say';
import { Failure, Waiting } from '../../kit/states';
import { State, StatusIcon } from '../../kit/status';
import { dateTime, zoneName } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { useSession } from '../session/session';
import { actionLabel, blockedLines, legToSign, shownActions } from './actions';
import { ActionDialog } from './dialogs';
import { Lines } from './lines';
import { withPreflight } from './preflight';
import { Progress } from './progress';
import { BatchSide } from './side';

const LOOK: Record<ActionName, Look> = {
  SUBMIT: 'primary',
  APPROVE: 'primary',
  SIGN: 'primary',
  EXECUTE: 'primary',
  SEND: 'default',
  REJECT: 'danger',
  REJECT_ON_CHAIN: 'danger',
  CANCEL: 'danger',
  RETURN: 'default',
  TAKE_OUT: 'default',
  CARRY: 'default',
  BRING_IN: 'default',
};

/** States in which nothing is on its way yet: the chain is asked about every line. */
const CAN_BE_STOPPED = ['DRAFT', 'PENDING_APPROVAL', 'APPROVED'];

/** States in which lines move or have moved. */
const MOVING = ['EXECUTING', 'EXECUTED', 'PARTIALLY_EXECUTED', 'FAILED'];

/** Why an action is off: the core says so, or what was found stops it. */
function whyOff(action: Action, batch: BatchDetail): string | null {
  if (!action.enabled) return action.reason ?? t('Not possible now');
  const lines = blockedLines(batch.lines).length;
  if (lines > 0 && action.name === 'APPROVE')
    return t(
      '{lines, plural, one {# line is stopped} other {# lines are stopped}}: return the batch with them marked',
      { lines },
    );
  if (lines > 0 && action.name === 'SUBMIT')
    return t(
      '{lines, plural, one {# line is stopped} other {# lines are stopped}}: take them out first',
      { lines },
    );
  return null;
}

/** The buttons of a batch, from what the core allows; each that is off says why. */
export function ActionButtons(props: {
  batch: BatchDetail;
  owner: string | null;
  onAct: (action: ActionName, leg: number | null) => void;
}) {
  const leg = legToSign(props.batch, props.owner);
  const shown = shownActions(props.batch);
  const primary = shown.findLast(
    (action) => whyOff(action, props.batch) === null && LOOK[action.name] === 'primary',
  )?.name;
  return shown.map((action: Action) => (
    <Button
      server
      key={action.name}
      look={
        LOOK[action.name] === 'primary' && action.name !== primary ? 'default' : LOOK[action.name]
      }
      off={whyOff(action, props.batch)}
      onPress={() => props.onAct(action.name, action.name === 'SIGN' ? leg : null)}
    >
      {actionLabel(action.name, props.batch, leg)}
    </Button>
  ));
}

function Banner(props: { shape: 'frozen' | 'returned' | 'failed'; children: React.ReactNode }) {
  return (
    <div className="flex items-start gap-2 border-b border-line2 bg-accent-soft px-4 py-2">
      <span className="pt-0.5">
        <StatusIcon shape={props.shape} />
      </span>
      <p>{props.children}</p>
    </div>
  );
}

function Below(props: { batch: BatchDetail; zone: string }) {
  const { batch, zone } = props;
  const { summary } = batch;
  return (
    <>
      <span>
        {t('Prepared by {person}, {at}', {
          person: summary.preparedBy,
          at: dateTime(summary.createdAt, zone),
        })}{' '}
        <span className="text-ink3">{zoneName(summary.createdAt, zone)}</span>
      </span>
      <span>
        {batch.file ? (
          <>
            {t('from')} <span className="font-mono">{batch.file.name}</span>
            {batch.file.period ? `, ${batch.file.period}` : null}
          </>
        ) : (
          t('from commissions')
        )}
      </span>
      <span>
        {batch.contentHash ? (
          <>
            {t('Content hash')} <ShortHash hash={batch.contentHash} />
          </>
        ) : null}
      </span>
    </>
  );
}

/** One batch: its lines, who decided what, what will happen, and what one may do. */
export function BatchReviewScreen(props: { id: string }) {
  const session = useSession();
  const navigate = useNavigate();
  const [action, setAction] = useState<ActionName | null>(null);
  const [poll, setPoll] = useState(5_000);
  const [selected, setSelected] = useState<RowSelectionState>({});
  const query = useRead('batch_get', { id: props.id }, { every: poll });
  const open = CAN_BE_STOPPED.includes(query.data?.summary.state ?? '');
  const chain = useRead('batch_preflight', { id: props.id }, { fresh: 60_000, enabled: open });
  const batch = useMemo(
    () => query.data && withPreflight(query.data, open ? chain : null),
    [query.data, open, chain],
  );
  const wanted = batch?.summary.state === 'EXECUTING' ? 1_000 : 5_000;
  if (batch && poll !== wanted) setPoll(wanted);
  const number = batch?.summary.number;
  useScreen(
    [
      { label: t('Batches'), to: '/batches' },
      { label: number === undefined ? t('Batch') : t('Batch {number}', { number }) },
    ],
    { scope: 'BATCH', id: props.id },
  );
  if (query.isError && !batch) {
    return (
      <Failure
        error={query.error}
        title={t('This batch could not be read')}
        onRetry={() => void query.refetch()}
      />
    );
  }
  if (!batch) return <Waiting what={t('Reading the batch')} />;
  const { summary } = batch;
  const moving = MOVING.includes(summary.state);
  const canSign = batch.allowed.some((one) => one.name === 'SIGN' && one.enabled);
  const owner = session.ownerAddress?.toLowerCase();
  const legsToSign = canSign
    ? batch.legs
        .filter((leg) => !leg.signatures.some((one) => one.owner.toLowerCase() === owner))
        .map((leg) => leg.index)
    : [];
  const act = (name: ActionName, leg: number | null) => {
    if (name === 'SIGN' && leg !== null) {
      void navigate({ to: '/batches/$id/sign/$leg', params: { id: props.id, leg: String(leg) } });
    } else setAction(name);
  };
  return (
    <>
      <PageHead
        title={summary.title}
        beside={
          <>
            <State state={summary.state} />
            <span className="text-ink3">
              {t('Batch {number}, revision {revision}', {
                number: summary.number,
                revision: summary.revision,
              })}
            </span>
          </>
        }
        below={<Below batch={batch} zone={session.program.timeZone} />}
        actions={<ActionButtons batch={batch} owner={session.ownerAddress} onAct={act} />}
      />
      {query.isError ? (
        <Banner shape="failed">
          <strong className="font-semibold">{t('You see an earlier state.')}</strong>{' '}
          {query.error.message}
        </Banner>
      ) : null}
      {summary.frozen ? (
        <Banner shape="frozen">
          <strong className="font-semibold">{t('Frozen.')}</strong> {summary.frozen}
        </Banner>
      ) : null}
      {batch.lastReason ? (
        <Banner shape="returned">
          <strong className="font-semibold">
            {summary.state === 'REJECTED'
              ? t('Rejected:')
              : summary.state === 'CANCELLED'
                ? t('Cancelled:')
                : t('Returned:')}
          </strong>{' '}
          {batch.lastReason}
        </Banner>
      ) : null}
      {summary.state === 'EXECUTING' ? <Progress batch={batch} /> : null}
      <WithSide
        table
        label={t('Approvals, legs and checks')}
        side={
          <BatchSide
            batch={batch}
            zone={session.program.timeZone}
            legsToSign={legsToSign}
            owner={session.ownerAddress}
            onCancel={() => setAction('CANCEL')}
          />
        }
      >
        <Lines
          batch={batch}
          moving={moving}
          selected={selected}
          onSelect={setSelected}
          onTakeOut={() => setAction('TAKE_OUT')}
        />
      </WithSide>
      <ActionDialog
        batch={batch}
        action={action}
        selected={batch.lines.filter((line) => selected[line.id])}
        onClose={() => setAction(null)}
      />
    </>
  );
}
