import { useIsMutating } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { useDo } from '../../backend/use';
import type { ActionName, ApiError, BatchDetail, LineMark, PayoutLine } from '../../contract/types';
import { MoneyText } from '../../kit/amount';
import { Button } from '../../kit/button';
import { Dialog, DialogFoot } from '../../kit/dialog';
import { TextField } from '../../kit/field';
import { ShortHash } from '../../kit/hash';
import { Facts } from '../../kit/layout';
import { t } from '../../kit/say';
import { InlineFailure } from '../../kit/states';
import { REASON_LEAST, reasonShort } from '../freeze/dialog';
import { RejectOnChainStep } from '../rejection/ask';
import { stoppedLines, whyStopped } from './actions';
import { SendStep } from './send';
import { stake } from './stake';

interface StepProps {
  batch: BatchDetail;
  onClose: () => void;
}

function SubmitStep({ batch, onClose }: StepProps) {
  const submit = useDo('batch_submit', { onDone: onClose });
  return (
    <>
      <p className="text-ink2">
        {t(
          'Others then approve and sign exactly this content. You cannot approve it yourself. The money is held until it is paid, returned or rejected.',
        )}
      </p>
      <Facts rows={stake(batch)} />
      {submit.isError ? <InlineFailure error={submit.error} /> : null}
      <DialogFoot>
        <Button onPress={onClose} safe>
          {t('Keep as a draft')}
        </Button>
        <Button
          server
          look="primary"
          busy={submit.isPending ? t('Submitting') : null}
          onPress={() => submit.mutate({ id: batch.summary.id })}
        >
          {t('Submit for approval')}
        </Button>
      </DialogFoot>
    </>
  );
}

function ApproveStep({ batch, onClose }: StepProps) {
  const approve = useDo('batch_approve', { onDone: onClose });
  const hash = batch.contentHash;
  const lines = batch.summary.lines;
  return (
    <>
      <p className="text-ink2">
        {t('You approve exactly the content on this screen. Any later edit voids the approval.')}
      </p>
      <Facts
        rows={[
          ...stake(batch),
          { name: t('Content'), value: hash ? <ShortHash hash={hash} /> : t('has no hash') },
          { name: t('Revision'), value: batch.summary.revision },
        ]}
      />
      {approve.isError ? <InlineFailure error={approve.error} /> : null}
      <DialogFoot note={t('Escape closes. No single key approves.')}>
        <Button onPress={onClose} safe>
          {t('Keep reviewing')}
        </Button>
        <Button
          server
          look="primary"
          off={hash ? null : t('This revision has no content hash. Read the batch again.')}
          busy={approve.isPending ? t('Approving') : null}
          onPress={() => hash && approve.mutate({ id: batch.summary.id, contentHash: hash })}
        >
          {t('{lines, plural, one {Approve # payment} other {Approve # payments}}', { lines })}
        </Button>
      </DialogFoot>
    </>
  );
}

const REASONED = {
  RETURN: {
    body: () =>
      t(
        'The batch goes back to its preparer as a draft. Approvals are void, the held money is free again.',
      ),
    keep: () => t('Keep reviewing'),
    act: () => t('Return to the preparer'),
    busy: () => t('Returning'),
  },
  REJECT: {
    command: 'batch_reject',
    body: () =>
      t('Rejecting is for good: this batch is never paid. Its lines are free for another one.'),
    keep: () => t('Keep reviewing'),
    act: () => t('Reject for good'),
    busy: () => t('Rejecting'),
  },
  CANCEL: {
    command: 'batch_cancel',
    body: () =>
      t(
        'The batch is not sent from here. What is already signed stays valid until its nonce is used, so its money stays held until then.',
      ),
    keep: () => t('Keep the batch'),
    act: () => t('Cancel the batch'),
    busy: () => t('Cancelling'),
  },
} as const;

/** Lines that go back marked: what was found to stop them, and what the person chose. */
function marksOf(batch: BatchDetail, selected: readonly PayoutLine[], reason: string): LineMark[] {
  const stopped = stoppedLines(batch.lines);
  const chosen = selected.filter((line) => !stopped.includes(line));
  return [
    ...stopped.map((line) => ({ line: line.line, reason: whyStopped(line) })),
    ...chosen.map((line) => ({ line: line.line, reason })),
  ];
}

/** Lines by number, payee and why they are stopped. */
function StoppedList(props: { lines: readonly PayoutLine[] }) {
  return (
    <ul
      className="max-h-48 overflow-auto border-y border-line2"
      tabIndex={0}
      aria-label={t('Lines')}
    >
      {props.lines.map((line) => (
        <li key={line.id} className="grid grid-cols-[3rem_1fr_auto] gap-2 py-1">
          <span className="text-right text-ink3">{line.line}</span>
          <span className="min-w-0">
            <span className="block truncate">{line.payee ?? line.recipient}</span>
            <span className="block text-small text-ink3">{whyStopped(line)}</span>
          </span>
          <MoneyText money={line.money} />
        </li>
      ))}
    </ul>
  );
}

function TakeOutStep({ batch, onClose }: StepProps) {
  const takeOut = useDo('batch_take_out', { onDone: onClose });
  const lines = stoppedLines(batch.lines);
  return (
    <>
      <p className="text-ink2">
        {t(
          'They leave this batch in one step, and it begins its next revision. What they pay is free for another batch.',
        )}
      </p>
      <StoppedList lines={lines} />
      {takeOut.isError ? <InlineFailure error={takeOut.error} /> : null}
      <DialogFoot>
        <Button onPress={onClose} safe>
          {t('Keep them')}
        </Button>
        <Button
          server
          look="danger"
          busy={takeOut.isPending ? t('Taking out') : null}
          onPress={() =>
            takeOut.mutate({ id: batch.summary.id, lines: lines.map((line) => line.line) })
          }
        >
          {t('{lines, plural, one {Take out # line} other {Take out # lines}}', {
            lines: lines.length,
          })}
        </Button>
      </DialogFoot>
    </>
  );
}

/** Why, in a sentence that the others and the audit trail keep; nothing happens without one. */
function ReasonForm(props: {
  words: (typeof REASONED)[keyof typeof REASONED];
  error: ApiError | null;
  pending: boolean;
  onGive: (reason: string) => void;
  onClose: () => void;
  children?: ReactNode;
}) {
  const { words, onClose } = props;
  const [reason, setReason] = useState('');
  const short = reasonShort(reason);
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (!short) props.onGive(reason.trim());
      }}
    >
      <p className="text-ink2">{words.body()}</p>
      {props.children}
      <TextField
        label={t('Reason')}
        aside={t('for the others and the audit trail')}
        lines={3}
        value={reason}
        onChange={setReason}
        autoFocus
        hint={short ?? ' '}
      />
      {props.error ? <InlineFailure error={props.error} /> : null}
      <DialogFoot>
        <Button onPress={onClose}>{words.keep()}</Button>
        <Button
          server
          look="danger"
          type="submit"
          off={short ? t('Needs a reason of {least} characters', { least: REASON_LEAST }) : null}
          busy={props.pending ? words.busy() : null}
        >
          {words.act()}
        </Button>
      </DialogFoot>
    </form>
  );
}

function ReturnStep({ batch, onClose, selected }: StepProps & { selected: PayoutLine[] }) {
  const marked = marksOf(batch, selected, '').length;
  const give = useDo('batch_return', { onDone: onClose });
  return (
    <ReasonForm
      words={REASONED.RETURN}
      error={give.error}
      pending={give.isPending}
      onClose={onClose}
      onGive={(reason) =>
        give.mutate({ id: batch.summary.id, reason, marks: marksOf(batch, selected, reason) })
      }
    >
      {marked > 0 ? (
        <>
          <p>
            {t(
              '{marked, plural, one {# line goes back marked} other {# lines go back marked}}: what stops them, and what you selected.',
              { marked },
            )}
          </p>
          <StoppedList
            lines={batch.lines.filter(
              (line) => stoppedLines([line]).length > 0 || selected.includes(line),
            )}
          />
        </>
      ) : null}
    </ReasonForm>
  );
}

function ReasonStep({ batch, onClose, action }: StepProps & { action: 'REJECT' | 'CANCEL' }) {
  const words = REASONED[action];
  const decide = useDo(words.command, { onDone: onClose });
  return (
    <ReasonForm
      words={words}
      error={decide.error}
      pending={decide.isPending}
      onClose={onClose}
      onGive={(reason) => decide.mutate({ id: batch.summary.id, reason })}
    />
  );
}

function signers(batch: BatchDetail): string {
  const people = new Set(batch.legs.flatMap((leg) => leg.signatures.map((one) => one.person)));
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(people);
}

function ExecuteStep({ batch, onClose }: StepProps) {
  const execute = useDo('batch_execute', { onDone: onClose });
  const lines = batch.summary.lines;
  const nonces = batch.legs.flatMap((leg) => (leg.nonce === null ? [] : [leg.nonce]));
  return (
    <>
      <p className="text-ink2">{t('This pays, now and for good:')}</p>
      <Facts
        rows={[
          ...stake(batch),
          {
            name: nonces.length === 1 ? t('Nonce') : t('Nonces'),
            value: t('{nonces}, signed by {people}', {
              nonces: nonces.join(', '),
              people: signers(batch),
            }),
          },
          { name: t('Chain'), value: `${batch.safe.chain} (${batch.safe.chainId})` },
        ]}
      />
      {execute.isError ? <InlineFailure error={execute.error} /> : null}
      <DialogFoot note={t('Escape closes. No single key sends.')}>
        <Button onPress={onClose} safe>
          {t('Keep it')}
        </Button>
        <Button
          server
          look="hazard"
          busy={execute.isPending ? t('Waiting for your confirmation in the system dialog') : null}
          onPress={() => execute.mutate({ id: batch.summary.id })}
        >
          {t('{lines, plural, one {Send # payment} other {Send # payments}}', { lines })}
        </Button>
      </DialogFoot>
    </>
  );
}

function title(action: ActionName, batch: BatchDetail): string {
  const { number, lines } = batch.summary;
  const titles: Record<ActionName, string> = {
    SUBMIT: t('Submit batch {number}', { number }),
    APPROVE: t('Approve batch {number}', { number }),
    RETURN: t('Return batch {number}', { number }),
    REJECT: t('Reject batch {number}', { number }),
    REJECT_ON_CHAIN: t('Reject batch {number} on chain', { number }),
    TAKE_OUT: t('Take lines out of batch {number}', { number }),
    CANCEL: t('Cancel batch {number}', { number }),
    EXECUTE: t('{lines, plural, one {Send # payment} other {Send # payments}} to {chain}', {
      lines,
      chain: batch.safe.chain,
    }),
    SEND: t('{lines, plural, one {Send # payment} other {Send # payments}} with your own key', {
      lines,
    }),
    SIGN: '',
    CARRY: '',
    BRING_IN: '',
  };
  return titles[action];
}

/** The step between a button and what it does: amount, asset, count and Safe in words. */
export function ActionDialog(props: {
  batch: BatchDetail;
  action: ActionName | null;
  selected: PayoutLine[];
  onClose: () => void;
}) {
  const { batch, action, onClose } = props;
  // What is being sent is not put out of sight.
  const sending = useIsMutating() > 0 && action === 'SEND';
  return (
    <Dialog
      busy={sending}
      open={action !== null && action !== 'SIGN'}
      onClose={onClose}
      title={action ? title(action, batch) : ''}
      hazard={action === 'EXECUTE' || action === 'SEND'}
      alert={action === 'EXECUTE' || action === 'SEND'}
    >
      {action === 'SUBMIT' ? <SubmitStep batch={batch} onClose={onClose} /> : null}
      {action === 'APPROVE' ? <ApproveStep batch={batch} onClose={onClose} /> : null}
      {action === 'TAKE_OUT' ? <TakeOutStep batch={batch} onClose={onClose} /> : null}
      {action === 'RETURN' ? (
        <ReturnStep batch={batch} onClose={onClose} selected={props.selected} />
      ) : null}
      {action === 'REJECT' || action === 'CANCEL' ? (
        <ReasonStep batch={batch} onClose={onClose} action={action} />
      ) : null}
      {action === 'REJECT_ON_CHAIN' ? <RejectOnChainStep batch={batch} onClose={onClose} /> : null}
      {action === 'EXECUTE' ? <ExecuteStep batch={batch} onClose={onClose} /> : null}
      {action === 'SEND' ? <SendStep batch={batch} onClose={onClose} /> : null}
    </Dialog>
  );
}
