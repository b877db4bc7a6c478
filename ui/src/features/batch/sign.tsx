import { useNavigate } from '@tanstack/react-router';
import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, type ReactNode, useEffect, useRef, useState } from 'react';
import { asApiError } from '../../backend/backend';
import { useBackend, useRead } from '../../backend/use';
import type {
  ApiError,
  DeviceFlow,
  DeviceView,
  KeyKind,
  LegReview,
  LegSigned,
  SignWith,
} from '../../contract/types';
import { Button } from '../../kit/button';
import { SectionHead } from '../../kit/layout';
import { LinkButton } from '../../kit/link';
import { Mark } from '../../kit/mark';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Waiting, useElapsed } from '../../kit/states';
import { type Shape, Status, StatusIcon } from '../../kit/status';
import { span } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { FreezeDialog } from '../freeze/dialog';
import { useSession } from '../session/session';
import { Checks } from './side';
import { DeviceDialog, DeviceLine, DevicePages, useDevice } from './sign-device';
import { KeyFile, NOTHING_TYPED, keyFile } from './sign-key';
import { Hashes, LegLines, type Phase, Stake, Steps, WhatItDoes } from './sign-parts';

interface Outcome {
  phase: Phase;
  error: ApiError | null;
  signed: LegSigned | null;
}

const READY: Outcome = { phase: 'ready', error: null, signed: null };

function Edge(props: { phase: Phase }) {
  if (props.phase === 'incident')
    return <div className="h-2 shrink-0 bg-danger" aria-hidden="true" />;
  if (props.phase === 'stored' || props.phase === 'cancelled') {
    return <div className="h-2 shrink-0 bg-line" aria-hidden="true" />;
  }
  return <div className="hatch h-2 shrink-0" aria-hidden="true" />;
}

function Big(props: {
  shape: Shape;
  tone?: 'danger';
  title: string;
  children: ReactNode;
  actions?: ReactNode;
  alert?: boolean;
}) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => heading.current?.focus(), []);
  return (
    <section
      role={props.alert ? 'alert' : 'status'}
      className="flex gap-4 border-b border-line pb-4"
    >
      <StatusIcon shape={props.shape} size={30} />
      <div className="flex max-w-prose flex-col gap-2">
        <h2
          ref={heading}
          tabIndex={-1}
          className={`text-window font-semibold outline-none ${props.tone === 'danger' ? 'text-danger' : ''}`}
        >
          {props.title}
        </h2>
        <div className="text-ink2">{props.children}</div>
        {props.actions ? <div className="flex flex-wrap gap-2">{props.actions}</div> : null}
      </div>
    </section>
  );
}

function OutcomeView(props: {
  outcome: Outcome;
  batchId: string;
  leg: number;
  legs: number;
  onAgain: () => void;
}) {
  const { outcome, batchId, leg, legs } = props;
  const back = (
    <LinkButton to="/batches/$id" params={{ id: batchId }}>
      {t('Back to the batch')}
    </LinkButton>
  );
  if (outcome.phase === 'stored' && outcome.signed) {
    const { signatures, threshold } = outcome.signed;
    return (
      <Big
        shape="signed"
        title={t('Your signature is stored, {signatures} of {threshold}', {
          signatures,
          threshold,
        })}
        actions={
          <>
            {leg < legs ? (
              <LinkButton
                look="primary"
                to="/batches/$id/sign/$leg"
                params={{ id: batchId, leg: String(leg + 1) }}
              >
                {t('Sign leg {leg}…', { leg: leg + 1 })}
              </LinkButton>
            ) : null}
            {back}
          </>
        }
      >
        {signatures >= threshold
          ? t('The leg has all signatures that the Safe asks for. It can be sent.')
          : t(
              '{missing, plural, one {# more signature is} other {# more signatures are}} needed before it can be sent.',
              {
                missing: threshold - signatures,
              },
            )}
        {outcome.signed.note ? <p className="mt-2 text-warn">{outcome.signed.note}</p> : null}
      </Big>
    );
  }
  if (outcome.phase === 'cancelled') {
    return (
      <Big
        shape="rejected"
        title={t('You cancelled. Nothing was signed.')}
        actions={
          <>
            <Button look="primary" onPress={props.onAgain}>
              {t('Ask again')}
            </Button>
            {back}
          </>
        }
      >
        {t('The batch stays as it is and its money stays held.')}
      </Big>
    );
  }
  if (outcome.phase === 'incident' && outcome.error) {
    return (
      <Big
        shape="incident"
        tone="danger"
        alert
        title={t('The signature is for something else')}
        actions={back}
      >
        <p>{outcome.error.message}</p>
        <p className="mt-2 font-semibold text-ink">
          {t('Do not sign anything else on this machine. Call the other owners on a known number.')}
        </p>
        {outcome.error.reference ? (
          <p className="mt-2 text-small">
            {t('Reference in the log: {reference}', { reference: outcome.error.reference })}
          </p>
        ) : null}
      </Big>
    );
  }
  return null;
}

/** The key and the one button that signs. Nothing keeps a passphrase after the call. */
function SignBar(props: {
  review: LegReview;
  leg: number;
  batchId: string;
  outcome: Outcome;
  elapsed: number;
  kind: KeyKind;
  onKind: (kind: KeyKind) => void;
  owner: string | null;
  flow: DeviceFlow;
  device: DeviceView | undefined;
  onChoose: () => void;
  onLook: () => void;
  onStop: () => void;
  onSign: (with_: SignWith) => void;
}) {
  const { review, outcome, kind, device } = props;
  const [file, setFile] = useState(NOTHING_TYPED);
  const useKept = review.passphraseKept && !file.type;
  const asking = outcome.phase === 'asking';
  const wrong =
    outcome.phase === 'stopped' && outcome.error?.code === 'INVALID_INPUT'
      ? outcome.error.message
      : undefined;
  const off = review.sign.enabled
    ? null
    : (review.sign.reason ?? t('This leg cannot be signed now'));
  const missing =
    kind === 'LEDGER'
      ? device?.state === 'READY'
        ? null
        : t('Needs your Ledger')
      : file.passphrase === '' && !useKept
        ? t('Needs the passphrase')
        : null;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (off || asking || missing) return;
    props.onSign(kind === 'LEDGER' ? { kind, flow: props.flow } : keyFile(file, useKept));
    setFile({ ...file, passphrase: '' });
  };
  const other = review.keys.find((one) => one !== kind);
  return (
    <form
      onSubmit={submit}
      className="flex shrink-0 flex-wrap items-start justify-between gap-x-6 gap-y-2 border-t border-line2 bg-canvas px-6 py-3"
    >
      <div className="min-w-60 flex-1 text-ink2 @4xl:max-w-lg">
        <p>
          <strong className="font-semibold text-ink">{t('Signing sends nothing.')}</strong>{' '}
          {kind === 'LEDGER'
            ? t(
                'The system asks once more in a dialog of its own, then your Ledger does, for 15 minutes at most. Refuse there unless it shows what this screen says.',
              )
            : t(
                'Compare amount, Safe and hashes first. The system asks once more in a dialog of its own.',
              )}
        </p>
        {asking ? null : other ? (
          <Button look="quiet" onPress={() => props.onKind(other)} className="-ml-1.5">
            {other === 'LEDGER' ? t('Use the Ledger') : t('Use the key file')}
          </Button>
        ) : kind === 'SOFTWARE' && props.owner ? (
          <Button look="quiet" onPress={props.onChoose} className="-ml-1.5">
            {t('Choose a Ledger…')}
          </Button>
        ) : null}
      </div>
      <div className="flex flex-wrap items-start gap-3">
        <div className="w-72">
          {kind === 'LEDGER' ? (
            <DeviceLine device={device} onLook={props.onLook} onChoose={props.onChoose} />
          ) : (
            <KeyFile
              choice={file}
              onChange={setFile}
              kept={review.passphraseKept}
              locked={asking}
              off={Boolean(off)}
              error={wrong}
            />
          )}
        </div>
        {asking && kind === 'LEDGER' ? (
          <span className="pt-6.5">
            <Button onPress={props.onStop}>{t('Stop waiting')}</Button>
          </span>
        ) : (
          <LinkButton to="/batches/$id" params={{ id: props.batchId }} className="mt-6.5">
            {t('Close')}
          </LinkButton>
        )}
        <span className="pt-6.5">
          <Button
            server
            look="hazard"
            type="submit"
            off={off ?? (asking ? null : missing)}
            busy={asking ? t('Waiting for you, {time}', { time: span(props.elapsed) }) : null}
          >
            {t('Countersign leg {leg}', { leg: props.leg })}
          </Button>
        </span>
      </div>
    </form>
  );
}

function Head(props: {
  review: LegReview;
  leg: number;
  legs: number;
  phase: Phase;
  kind: KeyKind;
  onFreeze: () => void;
  may: boolean;
}) {
  const { review } = props;
  return (
    <header className="flex shrink-0 flex-wrap items-center gap-x-4 gap-y-1 border-b border-line2 px-6 py-2.5">
      <Mark />
      <div className="min-w-0 flex-1">
        <h1 className="text-window font-semibold">
          {t('Countersign leg {leg} of {legs}', { leg: props.leg, legs: props.legs })}
        </h1>
        <p className="text-small text-ink2">
          {[
            review.batch.title,
            t('Batch {number}', { number: review.batch.number }),
            t('Safe {name}', { name: review.safe.name }),
            review.safe.chain,
            ...(review.leg.nonce === null ? [] : [t('nonce {nonce}', { nonce: review.leg.nonce })]),
          ].join('  /  ')}
        </p>
      </div>
      {props.phase === 'incident' ? (
        <Status shape="incident">{t('Incident')}</Status>
      ) : (
        <Status shape="note">
          {props.kind === 'LEDGER' ? t('Ledger') : t('Software key, this machine')}
        </Status>
      )}
      <Button
        server
        onPress={props.onFreeze}
        off={props.may ? null : t('Freezing needs the permission "operate"')}
        hideReason
      >
        <StatusIcon shape="frozen" tone="ink" size={15} />
        {t('Freeze Safe…')}
      </Button>
    </header>
  );
}

/** A window of its own for one signature: what is signed, its hashes, its lines, and the button. */
export function SignScreen(props: { batchId: string; leg: number }) {
  const session = useSession();
  const backend = useBackend();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [freeze, setFreeze] = useState(false);
  const [outcome, setOutcome] = useState<Outcome>(READY);
  const query = useRead('leg_review', { batchId: props.batchId, leg: props.leg });
  const batch = useRead('batch_get', { id: props.batchId });
  const [chosen, setChosen] = useState<KeyKind | null>(null);
  const [flow, setFlow] = useState<DeviceFlow>('HASHED');
  const [choosing, setChoosing] = useState(false);
  const asking = outcome.phase === 'asking';
  const elapsed = useElapsed(asking);
  const kind = chosen ?? query.data?.keys[0] ?? 'SOFTWARE';
  const idle = outcome.phase === 'ready' || outcome.phase === 'stopped';
  const device = useDevice(kind === 'LEDGER' && idle && !choosing);
  useScreen([{ label: t('Countersign leg {leg}', { leg: props.leg }) }]);
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      if (event.key !== 'Escape' || asking || document.querySelector('[role="dialog"]')) return;
      void navigate({ to: '/batches/$id', params: { id: props.batchId } });
    };
    window.addEventListener('keydown', down);
    return () => window.removeEventListener('keydown', down);
  }, [asking, navigate, props.batchId]);

  const review = query.data;
  if (query.isError && !review) {
    return (
      <main className="h-full bg-surface">
        <Failure
          error={query.error}
          title={t('This leg cannot be shown')}
          onRetry={() => void query.refetch()}
        />
        <div className="px-4">
          <LinkButton to="/batches/$id" params={{ id: props.batchId }}>
            {t('Back to the batch')}
          </LinkButton>
        </div>
      </main>
    );
  }
  if (!review) return <Waiting what={t('Rebuilding the transaction from its lines')} />;

  // Called here and not as a mutation: the query cache would keep the passphrase.
  const sign = async (with_: SignWith) => {
    const safeTxHash = review.leg.hashes?.safeTxHash;
    if (!safeTxHash) return;
    setOutcome({ phase: 'asking', error: null, signed: null });
    try {
      const signed = await backend.call('leg_sign', {
        batchId: props.batchId,
        leg: props.leg,
        safeTxHash,
        with: with_,
      });
      setOutcome({ phase: 'stored', error: null, signed });
      await client.invalidateQueries();
    } catch (thrown) {
      const error = asApiError(thrown);
      const phase: Phase =
        error.code === 'CANCELLED'
          ? 'cancelled'
          : error.code === 'INCIDENT'
            ? 'incident'
            : 'stopped';
      setOutcome({ phase, error, signed: null });
      // What this computer keeps may have been forgotten meanwhile.
      if (error.code === 'CONFLICT' || error.code === 'INVALID_INPUT')
        await client.invalidateQueries();
    }
  };
  const { phase } = outcome;
  const open = phase === 'ready' || phase === 'asking' || phase === 'stopped';
  const legs = batch.data?.legs.length ?? props.leg;
  return (
    <div className="@container flex h-full flex-col bg-surface">
      <Edge phase={phase} />
      <Head
        review={review}
        leg={props.leg}
        legs={legs}
        phase={phase}
        kind={kind}
        may={session.permissions.includes('operate')}
        onFreeze={() => setFreeze(true)}
      />
      <main className="flex min-h-0 flex-1 flex-col overflow-auto @5xl:flex-row @5xl:overflow-hidden">
        <aside
          aria-label={t('What is signed')}
          className="flex shrink-0 flex-col gap-4 border-line2 bg-canvas px-6 py-4 @5xl:w-100 @5xl:overflow-auto @5xl:border-r"
        >
          <Stake review={review} armed={open} />
          <section>
            <h2 className="text-section font-semibold">{t('Steps')}</h2>
            <Steps
              review={review}
              phase={phase}
              kind={kind}
              waited={span(elapsed)}
              stored={outcome.signed?.signatures ?? 0}
            />
          </section>
          <WhatItDoes review={review} kind={kind} />
        </aside>
        <div className="@container flex min-w-0 flex-1 flex-col gap-4 px-6 py-4 @5xl:overflow-auto">
          <OutcomeView
            outcome={outcome}
            batchId={props.batchId}
            leg={props.leg}
            legs={legs}
            onAgain={() => setOutcome(READY)}
          />
          {phase === 'stopped' && outcome.error && outcome.error.code !== 'INVALID_INPUT' ? (
            <div className="bg-danger-soft p-3">
              <InlineFailure error={outcome.error} />
            </div>
          ) : null}
          {phase === 'incident' ? null : (
            <>
              <Hashes review={review} />
              {kind === 'LEDGER' && review.device ? (
                <DevicePages review={review.device} flow={flow} onFlow={setFlow} locked={!idle} />
              ) : null}
              <section>
                <SectionHead title={t('Checks')} />
                <Checks checks={review.checks} columns />
              </section>
              <LegLines lines={review.lines} />
            </>
          )}
        </div>
      </main>
      {open ? (
        <SignBar
          review={review}
          leg={props.leg}
          batchId={props.batchId}
          outcome={outcome}
          elapsed={elapsed}
          kind={kind}
          onKind={setChosen}
          owner={session.ownerAddress}
          flow={flow}
          device={device.data}
          onChoose={() => setChoosing(true)}
          onLook={() => void device.refetch()}
          onStop={() => void backend.call('device_stop', null).catch(() => undefined)}
          onSign={(with_) => void sign(with_)}
        />
      ) : null}
      <DeviceDialog
        open={choosing}
        device={device.data}
        owner={session.ownerAddress}
        onClose={() => {
          setChoosing(false);
          setChosen(null);
        }}
      />
      <FreezeDialog
        open={freeze}
        onClose={() => setFreeze(false)}
        target={{ scope: 'SAFE', id: review.safe.id }}
      />
    </div>
  );
}
