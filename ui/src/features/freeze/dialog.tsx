import { useState } from 'react';
import { Label, Radio, RadioGroup } from 'react-aria-components';
import { useDo, useRead } from '../../backend/use';
import type { FreezeScope } from '../../contract/types';
import { Button } from '../../kit/button';
import { Dialog, DialogFoot } from '../../kit/dialog';
import { Choice, TextField } from '../../kit/field';
import { t } from '../../kit/say';
import { InlineFailure } from '../../kit/states';
import { useSession } from '../session/session';

/** Shortest reason that the audit trail takes. */
export const REASON_LEAST = 10;

/** What is still missing from a reason; `undefined` when it is long enough. */
export function reasonShort(reason: string): string | undefined {
  const length = [...reason.trim()].length;
  if (length >= REASON_LEAST) return undefined;
  return t('{length} of at least {least} characters', { length, least: REASON_LEAST });
}

const RADIO =
  'flex min-h-8 cursor-pointer items-start gap-2 py-1 before:mt-0.5 before:size-3.5 before:shrink-0 before:rounded-full before:border before:border-ctl data-[selected]:before:border-4 data-[selected]:before:border-accent';

/** What is open on screen, so that it is offered first. */
export interface FreezeTarget {
  scope: FreezeScope;
  id: string;
}

/** Stops a program, a Safe or a batch at once; the console asks for nothing but a reason. */
export function FreezeDialog(props: {
  open: boolean;
  onClose: () => void;
  target: FreezeTarget | null;
}) {
  return (
    <Dialog title={t('Freeze')} open={props.open} onClose={props.onClose}>
      <FreezeForm target={props.target} onClose={props.onClose} />
    </Dialog>
  );
}

function FreezeForm(props: { target: FreezeTarget | null; onClose: () => void }) {
  const session = useSession();
  const safes = useRead('safe_list', null);
  const batches = useRead('batch_list', null);
  const [scope, setScope] = useState<FreezeScope>(props.target?.scope ?? 'PROGRAM');
  const [safeId, setSafeId] = useState<string | null>(
    props.target?.scope === 'SAFE' ? props.target.id : null,
  );
  const [batchId, setBatchId] = useState<string | null>(
    props.target?.scope === 'BATCH' ? props.target.id : null,
  );
  const [reason, setReason] = useState('');
  const freeze = useDo('freeze_create', { onDone: props.onClose });
  const id = scope === 'PROGRAM' ? session.program.id : scope === 'SAFE' ? safeId : batchId;
  const missing = !id
    ? scope === 'SAFE'
      ? t('Choose the Safe')
      : t('Choose the batch')
    : reasonShort(reason)
      ? t('Needs a reason of {least} characters', { least: REASON_LEAST })
      : null;
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        if (id && !missing) freeze.mutate({ scope, id, reason: reason.trim() });
      }}
    >
      <p className="text-ink2">
        {t(
          'Nothing frozen is approved, signed or sent by this console until two people lift it. What was signed before can still be sent by whoever holds the signatures.',
        )}
      </p>
      <RadioGroup value={scope} onChange={(value) => setScope(value as FreezeScope)}>
        <Label className="font-semibold">{t('What stops')}</Label>
        <Radio value="PROGRAM" className={RADIO}>
          {t('The program {name}', { name: session.program.name })}
        </Radio>
        <Radio value="SAFE" className={RADIO}>
          {t('One Safe')}
        </Radio>
        <Radio value="BATCH" className={RADIO}>
          {t('One batch')}
        </Radio>
      </RadioGroup>
      {scope === 'SAFE' ? (
        <Choice
          label={t('Safe')}
          value={safeId}
          onChange={setSafeId}
          placeholder={t('Choose')}
          options={(safes.data ?? []).map((safe) => ({
            id: safe.id,
            label: safe.name,
            detail: safe.chain,
          }))}
        />
      ) : null}
      {scope === 'BATCH' ? (
        <Choice
          label={t('Batch')}
          value={batchId}
          onChange={setBatchId}
          placeholder={t('Choose')}
          options={(batches.data ?? []).map((batch) => ({
            id: batch.id,
            label: t('Batch {number}', { number: batch.number }),
            detail: batch.title,
          }))}
        />
      ) : null}
      <TextField
        label={t('Reason')}
        aside={t('for the others and the audit trail')}
        lines={3}
        value={reason}
        onChange={setReason}
        hint={reasonShort(reason) ?? ' '}
      />
      {freeze.isError ? <InlineFailure error={freeze.error} /> : null}
      <DialogFoot note={t('Freezing needs one person, lifting it two.')}>
        <Button onPress={props.onClose} autoFocus={false}>
          {t('Keep it running')}
        </Button>
        <Button
          server
          look="danger"
          type="submit"
          off={missing}
          busy={freeze.isPending ? t('Freezing') : null}
        >
          {t('Freeze now')}
        </Button>
      </DialogFoot>
    </form>
  );
}
