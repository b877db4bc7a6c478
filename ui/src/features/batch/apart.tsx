/** A batch apart from the database: written to a file, its hashes as a code, a signature brought back. */
import { useState } from 'react';
import { useDo, useRead } from '../../backend/use';
import type { BatchDetail } from '../../contract/types';
import { Button } from '../../kit/button';
import { Dialog, DialogFoot } from '../../kit/dialog';
import { PlainHash } from '../../kit/hash';
import { Facts, SectionHead } from '../../kit/layout';
import { TextLink } from '../../kit/link';
import { Qr } from '../../kit/qr';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Waiting } from '../../kit/states';
import { Status } from '../../kit/status';

/** The hashes of one leg, as a camera of another machine reads them. */
export function LegCodeDialog(props: { batchId: string; leg: number | null; onClose: () => void }) {
  return (
    <Dialog
      title={t('Hashes of leg {leg}', { leg: props.leg ?? 0 })}
      open={props.leg !== null}
      onClose={props.onClose}
      wide
    >
      {props.leg === null ? null : <LegCodeBody batchId={props.batchId} leg={props.leg} />}
      <DialogFoot>
        <Button onPress={props.onClose} safe>
          {t('Close')}
        </Button>
      </DialogFoot>
    </Dialog>
  );
}

function LegCodeBody(props: { batchId: string; leg: number }) {
  const code = useRead('leg_code', { batchId: props.batchId, leg: props.leg });
  if (code.isError && !code.data) return <Failure error={code.error} />;
  if (!code.data) return <Waiting what={t('Rebuilding the transaction from its lines')} />;
  const { hashes } = code.data;
  return (
    <>
      <p className="text-ink2">
        {t(
          'Computed on this machine from the lines. Another machine that verified the file of this batch must show the same three.',
        )}
      </p>
      <div className="flex flex-wrap items-start gap-x-5 gap-y-3">
        <Qr
          rows={code.data.code.rows}
          label={t('Domain hash, message hash and Safe transaction hash as a QR code')}
        />
        <Facts
          className="min-w-72 flex-1"
          rows={[
            { name: t('Domain'), value: <PlainHash hash={hashes.domainHash} /> },
            { name: t('Message'), value: <PlainHash hash={hashes.messageHash} /> },
            { name: t('safeTxHash'), value: <PlainHash hash={hashes.safeTxHash} /> },
          ]}
        />
      </div>
    </>
  );
}

/** Signing on another machine: out with a file, back with a signature. */
export function Apart(props: { batch: BatchDetail }) {
  const { batch } = props;
  const id = batch.summary.id;
  const [leg, setLeg] = useState<number | null>(null);
  const carry = useDo('batch_carry');
  const bring = useDo('batch_bring_in');
  const carried = batch.allowed.find((one) => one.name === 'CARRY');
  const brought = batch.allowed.find((one) => one.name === 'BRING_IN');
  const coded = batch.legs.filter((one) => one.hashes);
  if (!carried && !brought && coded.length === 0) return null;
  const asking = t('Waiting for the system dialog');
  return (
    <section>
      <SectionHead title={t('Apart from the network')}>
        <TextLink to="/batches/file">{t('Verify a file')}</TextLink>
      </SectionHead>
      {carried || brought ? (
        <p className="text-small text-ink3">
          {t(
            'Write the batch to a file, verify and sign it on a machine without a network, and bring the signature back.',
          )}
        </p>
      ) : null}
      <div className="flex flex-wrap items-start gap-2 py-1.5">
        {carried ? (
          <Button
            server
            off={carried.enabled ? null : (carried.reason ?? t('Not possible now'))}
            busy={carry.isPending ? asking : null}
            onPress={() => carry.mutate({ id })}
          >
            {t('Write to a file…')}
          </Button>
        ) : null}
        {brought ? (
          <Button
            server
            off={brought.enabled ? null : (brought.reason ?? t('Not possible now'))}
            busy={bring.isPending ? asking : null}
            onPress={() => bring.mutate({ id })}
          >
            {t('Bring a signature in…')}
          </Button>
        ) : null}
      </div>
      <div className="-ml-1.5 flex flex-wrap gap-x-2">
        {coded.map((one) => (
          <Button key={one.index} look="quiet" onPress={() => setLeg(one.index)}>
            {t('QR of leg {leg}', { leg: one.index })}
          </Button>
        ))}
      </div>
      {carry.isError && carry.error.code !== 'CANCELLED' ? (
        <InlineFailure error={carry.error} />
      ) : null}
      {carry.data ? (
        <div role="status">
          <Status shape="executed">
            {t('{legs, plural, one {# leg is} other {# legs are}} in the file', {
              legs: carry.data.legs,
            })}
          </Status>
          <p className="font-mono text-small break-all">{carry.data.path}</p>
        </div>
      ) : null}
      {bring.isError && bring.error.code !== 'CANCELLED' ? (
        <InlineFailure error={bring.error} />
      ) : null}
      {bring.data ? (
        <div role="status">
          <Status shape="signed">
            {t('Leg {leg}: your signature is stored, {signatures} of {threshold}', {
              leg: bring.data.leg,
              signatures: bring.data.signatures,
              threshold: bring.data.threshold,
            })}
          </Status>
        </div>
      ) : null}
      <LegCodeDialog batchId={id} leg={leg} onClose={() => setLeg(null)} />
    </section>
  );
}
