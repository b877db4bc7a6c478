import { useQueryClient } from '@tanstack/react-query';
import { type FormEvent, useState } from 'react';
import { asApiError } from '../../backend/backend';
import { useBackend, useRead } from '../../backend/use';
import type {
  ApiError,
  DeviceFlow,
  KeyKind,
  LegSigned,
  RejectionReview,
  SignWith,
} from '../../contract/types';
import { Address } from '../../kit/address';
import { MoneyText } from '../../kit/amount';
import { Button } from '../../kit/button';
import { DeviceHash, PlainHash } from '../../kit/hash';
import { Facts, SectionHead } from '../../kit/layout';
import { LinkButton } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Waiting } from '../../kit/states';
import { Status } from '../../kit/status';
import { useScreen } from '../../routes/screen';
import { Checks } from '../batch/side';
import { DeviceDialog, DeviceLine, DevicePages, useDevice } from '../batch/sign-device';
import { KeyFile, NOTHING_TYPED, keyFile } from '../batch/sign-key';
import { useSession } from '../session/session';

/** What the rejection does, and the payment that it stops. */
function Stopped({ review }: { review: RejectionReview }) {
  const { leg, safe } = review;
  return (
    <Facts
      rows={[
        { name: t('Does'), value: review.sentence },
        { name: t('Nonce'), value: leg.rejection?.nonce ?? '' },
        { name: t('Because'), value: leg.rejection?.reason ?? '' },
        {
          name: t('Never paid'),
          value: leg.totals.map((total) => (
            <div key={total.asset.symbol}>
              <MoneyText money={total} strong />
            </div>
          )),
        },
        {
          name: t('Safe'),
          value: (
            <>
              <span className="block font-semibold">{safe.name}</span>
              <Address address={safe.address} two />
            </>
          ),
        },
        { name: t('Chain'), value: `${safe.chain} (${safe.chainId})` },
      ]}
    />
  );
}

function Key(props: {
  review: RejectionReview;
  owner: string;
  busy: boolean;
  wrong: string | undefined;
  flow: DeviceFlow;
  kind: KeyKind;
  onKind: (kind: KeyKind) => void;
  onStop: () => void;
  onSign: (with_: SignWith) => void;
}) {
  const { review, busy, kind } = props;
  const [file, setFile] = useState(NOTHING_TYPED);
  const useKept = review.passphraseKept && !file.type;
  const [choosing, setChoosing] = useState(false);
  const device = useDevice(kind === 'LEDGER' && !busy && !choosing);
  const off = review.sign.enabled
    ? null
    : (review.sign.reason ?? t('This rejection cannot be signed now'));
  const missing =
    kind === 'LEDGER'
      ? device.data?.state === 'READY'
        ? null
        : t('Needs your Ledger')
      : file.passphrase === '' && !useKept
        ? t('Needs the passphrase')
        : null;
  const other = review.keys.find((one) => one !== kind);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (off || busy || missing) return;
    props.onSign(kind === 'LEDGER' ? { kind, flow: props.flow } : keyFile(file, useKept));
    setFile({ ...file, passphrase: '' });
  };
  return (
    <>
      <form
        onSubmit={submit}
        className="flex flex-wrap items-start gap-3 border-t border-line2 pt-3"
      >
        <div className="w-72">
          {kind === 'LEDGER' ? (
            <DeviceLine
              device={device.data}
              onLook={() => void device.refetch()}
              onChoose={() => setChoosing(true)}
            />
          ) : (
            <KeyFile
              choice={file}
              onChange={setFile}
              kept={review.passphraseKept}
              locked={busy}
              off={Boolean(off)}
              error={props.wrong}
            />
          )}
          {other && !busy ? (
            <Button look="quiet" className="-ml-1.5" onPress={() => props.onKind(other)}>
              {other === 'LEDGER' ? t('Use the Ledger') : t('Use the key file')}
            </Button>
          ) : null}
        </div>
        {busy && kind === 'LEDGER' ? (
          <span className="pt-6.5">
            <Button onPress={props.onStop}>{t('Stop waiting')}</Button>
          </span>
        ) : null}
        <span className="pt-6.5">
          <Button
            server
            look="danger"
            type="submit"
            off={off ?? (busy ? null : missing)}
            busy={busy ? t('Waiting for you') : null}
          >
            {t('Sign the rejection of leg {leg}', { leg: review.leg.index })}
          </Button>
        </span>
      </form>
      <DeviceDialog
        open={choosing}
        onClose={() => setChoosing(false)}
        device={device.data}
        owner={props.owner}
      />
    </>
  );
}

/** A screen of its own for one signature that pays nobody: what it stops, its hashes, what was checked, and the button. */
export function RejectScreen(props: { batchId: string; leg: number }) {
  const session = useSession();
  const backend = useBackend();
  const client = useQueryClient();
  const query = useRead('rejection_review', { batchId: props.batchId, leg: props.leg });
  const [chosen, setChosen] = useState<KeyKind | null>(null);
  const [flow, setFlow] = useState<DeviceFlow>('HASHED');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const [signed, setSigned] = useState<LegSigned | null>(null);
  useScreen([{ label: t('Reject leg {leg}', { leg: props.leg }) }]);
  const back = (
    <LinkButton to="/batches/$id" params={{ id: props.batchId }}>
      {t('Back to the batch')}
    </LinkButton>
  );
  const review = query.data;
  if (query.isError && !review) {
    return (
      <main className="h-full bg-surface">
        <Failure
          error={query.error}
          title={t('This rejection cannot be shown')}
          onRetry={() => void query.refetch()}
        />
        <div className="px-4">{back}</div>
      </main>
    );
  }
  if (!review) return <Waiting what={t('Rebuilding the rejection')} />;
  const hashes = review.leg.rejection?.hashes;
  const kind = chosen ?? review.keys[0] ?? 'SOFTWARE';
  // Called here and not as a mutation: the query cache would keep the passphrase.
  const sign = async (with_: SignWith) => {
    if (!hashes) return;
    setBusy(true);
    setError(null);
    try {
      const { safeTxHash } = hashes;
      const { batchId, leg } = props;
      setSigned(await backend.call('rejection_sign', { batchId, leg, safeTxHash, with: with_ }));
      await client.invalidateQueries();
    } catch (thrown) {
      setError(asApiError(thrown));
    } finally {
      setBusy(false);
    }
  };
  return (
    <main className="flex h-full flex-col gap-4 overflow-auto bg-surface px-6 py-4">
      <header className="flex flex-wrap items-center justify-between gap-2">
        <h1 className="text-window font-semibold">
          {t('Reject leg {leg} of batch {number}', {
            leg: props.leg,
            number: review.batch.number,
          })}
        </h1>
        {back}
      </header>
      <p className="max-w-prose text-ink2">
        {t(
          'Your signature pays nobody. With {threshold} of them the nonce is used up, and the payment below can never be made, unless it is executed first.',
          { threshold: review.safe.threshold },
        )}
      </p>
      {signed ? (
        <div role="status">
          <Status shape="signed">
            {t('Your signature is stored, {signatures} of {threshold}', {
              signatures: signed.signatures,
              threshold: signed.threshold,
            })}
          </Status>
          {signed.note ? <p className="text-warn">{signed.note}</p> : null}
        </div>
      ) : null}
      {error && error.code !== 'INVALID_INPUT' ? (
        <div className="bg-danger-soft p-3">
          <InlineFailure error={error} />
        </div>
      ) : null}
      <Stopped review={review} />
      {hashes ? (
        <div className="grid gap-4 sm:grid-cols-3">
          <section>
            <h2 className="font-semibold">{t('Domain hash')}</h2>
            <DeviceHash hash={hashes.domainHash} />
          </section>
          <section>
            <h2 className="font-semibold">{t('Message hash')}</h2>
            <DeviceHash hash={hashes.messageHash} />
          </section>
          <section>
            <h2 className="font-semibold">{t('Safe transaction hash')}</h2>
            <PlainHash hash={hashes.safeTxHash} />
          </section>
        </div>
      ) : null}
      {kind === 'LEDGER' && review.device ? (
        <DevicePages review={review.device} flow={flow} onFlow={setFlow} locked={busy} />
      ) : null}
      <section>
        <SectionHead title={t('Checks')} />
        <Checks checks={review.checks} columns />
      </section>
      {signed || session.ownerAddress === null ? null : (
        <Key
          review={review}
          owner={session.ownerAddress}
          busy={busy}
          wrong={error?.code === 'INVALID_INPUT' ? error.message : undefined}
          flow={flow}
          kind={kind}
          onKind={setChosen}
          onStop={() => void backend.call('device_stop', null).catch(() => undefined)}
          onSign={(with_) => void sign(with_)}
        />
      )}
    </main>
  );
}
