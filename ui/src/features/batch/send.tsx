/** A person sends a batch with a key or a Ledger of their own, and pays the gas. */
import { useState } from 'react';
import { useBackend, useDo, useRead } from '../../backend/use';
import type { BatchDetail, GasKey, KeyKind, SendReview } from '../../contract/types';
import { Address } from '../../kit/address';
import { MoneyText } from '../../kit/amount';
import { Button } from '../../kit/button';
import { DialogFoot } from '../../kit/dialog';
import { Facts } from '../../kit/layout';
import { t } from '../../kit/say';
import { Segments } from '../../kit/segments';
import { InlineFailure, Waiting } from '../../kit/states';
import { Status } from '../../kit/status';
import { LegList } from './progress';
import { KeyFile, NOTHING_TYPED } from './sign-key';
import { stake } from './stake';

function keyName(kind: KeyKind): string {
  return kind === 'LEDGER' ? t('Your Ledger') : t('Your key file');
}

/** Who pays the gas, what that key holds, and how much a transaction may cost. */
function gasRows(own: GasKey | undefined, review: SendReview) {
  return [
    {
      name: t('Gas paid by'),
      value: own?.address ? <Address address={own.address} two /> : t('no address is known'),
    },
    {
      name: t('It holds'),
      value: own?.balance ? <MoneyText money={own.balance} /> : t('not known'),
    },
    {
      name: t('Gas at most'),
      value: (
        <>
          <MoneyText money={review.feeCap} />{' '}
          {t('for each of {legs, plural, one {# transaction} other {# transactions}}', {
            legs: review.legs,
          })}
        </>
      ),
    },
  ];
}

function whyNot(own: GasKey | undefined, kept: boolean, passphrase: string): string | null {
  if (!own) return t('This machine has no key file of yours, and no Ledger is chosen');
  if (own.problem) return own.problem;
  if (own.kind === 'SOFTWARE' && !kept && passphrase === '') return t('Needs the passphrase');
  return null;
}

/** What is shown before, while and after the person's own key sends. */
export function SendStep(props: { batch: BatchDetail; onClose: () => void }) {
  const { batch, onClose } = props;
  const backend = useBackend();
  const query = useRead('batch_send_review', { id: batch.summary.id });
  const [kind, setKind] = useState<KeyKind | null>(null);
  const [choice, setChoice] = useState(NOTHING_TYPED);
  const [note, setNote] = useState<string | null>(null);
  const send = useDo('batch_send', {
    onDone: (done) => {
      if (done.note === null) onClose();
      else setNote(done.note);
    },
  });
  if (query.isError) return <InlineFailure error={query.error} />;
  const review = query.data;
  if (!review) return <Waiting what={t('Looking at your keys')} />;
  const own = review.keys.find((one) => one.kind === kind) ?? review.keys[0];
  const kept = review.passphraseKept && !choice.type;
  const hash = batch.contentHash;
  const wrong = send.error?.code === 'INVALID_INPUT' ? send.error.message : undefined;
  const over = send.error?.code === 'INCIDENT' || note !== null;
  const act = () => {
    if (!own || !hash) return;
    const with_ =
      own.kind === 'LEDGER'
        ? ({ kind: 'LEDGER' } as const)
        : ({
            kind: 'SOFTWARE',
            passphrase: kept ? null : choice.passphrase,
            keep: !kept && choice.keep,
          } as const);
    setChoice({ ...choice, passphrase: '' });
    send.mutate({ id: batch.summary.id, contentHash: hash, with: with_ });
  };
  return (
    <>
      <p className="text-ink2">{t('This pays, now and for good. You pay the gas:')}</p>
      {review.keys.length > 1 ? (
        <div>
          <Segments
            label={t('Which key pays the gas')}
            value={own?.kind ?? 'SOFTWARE'}
            onChange={setKind}
            options={review.keys.map((one) => ({ id: one.kind, label: keyName(one.kind) }))}
          />
        </div>
      ) : null}
      <Facts rows={[...stake(batch), ...gasRows(own, review)]} />
      {own?.kind === 'LEDGER' ? (
        <p className="text-small text-ink2">
          {t(
            'Your Ledger asks once for each transaction. There, To is the address of the Safe and Amount is 0: it cannot show who is paid, so it warns of blind signing.',
          )}
        </p>
      ) : null}
      {own?.kind === 'SOFTWARE' && !over ? (
        <KeyFile
          choice={choice}
          onChange={setChoice}
          kept={review.passphraseKept}
          locked={send.isPending}
          off={own.problem !== null}
          error={wrong}
        />
      ) : null}
      {send.isPending ? <LegList batch={batch} /> : null}
      {send.error && wrong === undefined ? <InlineFailure error={send.error} /> : null}
      {note === null ? null : <Status shape="note">{note}</Status>}
      <DialogFoot note={over || send.isPending ? null : t('No single key sends.')}>
        {send.isPending && own?.kind === 'LEDGER' ? (
          <Button
            safe
            onPress={() => void backend.call('device_stop', null).catch(() => undefined)}
          >
            {t('Stop waiting')}
          </Button>
        ) : (
          <Button
            onPress={onClose}
            safe
            off={send.isPending ? t('It is being sent') : null}
            hideReason
          >
            {over ? t('Close') : t('Keep it')}
          </Button>
        )}
        {over ? null : (
          <Button
            look="hazard"
            off={whyNot(own, kept, choice.passphrase)}
            busy={
              send.isPending ? t('Waiting for the system dialog, your key and the chain') : null
            }
            onPress={act}
          >
            {t('{lines, plural, one {Send # payment} other {Send # payments}}', {
              lines: batch.summary.lines,
            })}
          </Button>
        )}
      </DialogFoot>
    </>
  );
}
