import { useState } from 'react';
import { useDo } from '../../backend/use';
import type { BatchDetail } from '../../contract/types';
import { Button } from '../../kit/button';
import { DialogFoot } from '../../kit/dialog';
import { TextField } from '../../kit/field';
import { t } from '../../kit/say';
import { InlineFailure } from '../../kit/states';
import { REASON_LEAST, reasonShort } from '../freeze/dialog';

/** Asks the owners to use up the nonces of a batch, in the words of what will happen. */
export function RejectOnChainStep(props: { batch: BatchDetail; onClose: () => void }) {
  const { batch, onClose } = props;
  const [reason, setReason] = useState('');
  const ask = useDo('rejection_ask', { onDone: onClose });
  const short = reasonShort(reason);
  const nonces = batch.legs.flatMap((leg) => (leg.nonce === null ? [] : [leg.nonce]));
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (!short) ask.mutate({ batchId: batch.summary.id, legs: [], reason: reason.trim() });
      }}
    >
      <p className="text-ink2">
        {t(
          'The owners of {safe} are asked to sign a transaction that does nothing, at {count, plural, one {nonce {nonces}} other {the nonces {nonces}}}. With {threshold} signatures the executor sends it, also while the program is frozen.',
          {
            safe: batch.safe.name,
            count: nonces.length,
            nonces: nonces.join(', '),
            threshold: batch.safe.threshold,
          },
        )}
      </p>
      <p className="text-ink2">
        {t(
          'Until the nonce is used for good, nothing is free: whoever holds the signatures can still send the payment, and whichever the chain executes first counts.',
        )}
      </p>
      <TextField
        label={t('Reason')}
        aside={t('for the others and the audit trail')}
        lines={3}
        value={reason}
        onChange={setReason}
        autoFocus
        hint={short ?? ' '}
      />
      {ask.isError ? <InlineFailure error={ask.error} /> : null}
      <DialogFoot>
        <Button onPress={onClose}>{t('Keep the batch')}</Button>
        <Button
          server
          look="danger"
          type="submit"
          off={short ? t('Needs a reason of {least} characters', { least: REASON_LEAST }) : null}
          busy={ask.isPending ? t('Asking') : null}
        >
          {t('Ask the owners')}
        </Button>
      </DialogFoot>
    </form>
  );
}
