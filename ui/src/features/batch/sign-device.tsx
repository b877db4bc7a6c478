import { type FormEvent, useState } from 'react';
import { useDo, useRead } from '../../backend/use';
import type {
  DeviceFlow,
  DeviceModel,
  DeviceReview,
  DeviceState,
  DeviceView,
} from '../../contract/types';
import { Address } from '../../kit/address';
import { Button } from '../../kit/button';
import { Dialog, DialogFoot } from '../../kit/dialog';
import { Choice, TextField } from '../../kit/field';
import { SectionHead } from '../../kit/layout';
import { t } from '../../kit/say';
import { Segments } from '../../kit/segments';
import { InlineFailure } from '../../kit/states';
import { type Shape, StatusIcon } from '../../kit/status';

const MODELS: { id: DeviceModel; label: string }[] = [
  { id: 'NANO_S_PLUS', label: 'Nano S Plus' },
  { id: 'NANO_X', label: 'Nano X' },
  { id: 'FLEX', label: 'Flex' },
  { id: 'STAX', label: 'Stax' },
  { id: 'NANO_S', label: 'Nano S' },
];

const PATHS = ["m/44'/60'/0'/0/0", "m/44'/60'/1'/0/0", "m/44'/60'/0'/0/1", "m/44'/60'/0'/1"];

/** What the person does next, and how it looks. */
function stateWords(state: DeviceState): { shape: Shape; title: string } {
  switch (state) {
    case 'READY':
      return { shape: 'executed', title: t('Your Ledger is ready') };
    case 'NOT_CHOSEN':
      return { shape: 'draft', title: t('No Ledger is chosen') };
    case 'NOT_CONNECTED':
      return { shape: 'check', title: t('Connect your Ledger') };
    case 'LOCKED':
      return { shape: 'check', title: t('Unlock your Ledger') };
    case 'WRONG_APP':
      return { shape: 'check', title: t('Open the Ethereum app') };
    case 'OLD_APP':
      return { shape: 'check', title: t('Update the Ethereum app') };
    case 'BLIND_SIGNING_OFF':
      return { shape: 'check', title: t('Switch blind signing on') };
    case 'OTHER_KEY':
      return { shape: 'failed', title: t('Another key is on this Ledger') };
    case 'HELD':
      return { shape: 'check', title: t('Another program holds your Ledger') };
    case 'NO_PERMISSION':
      return { shape: 'check', title: t('The system keeps your Ledger from this program') };
    case 'ASKING':
      return { shape: 'check', title: t('An earlier question is on your Ledger') };
    case 'FOREIGN':
      return { shape: 'incident', title: t('A signature that nobody asked for') };
    case 'FAILED':
      return { shape: 'unknown', title: t('Your Ledger does not answer as it should') };
  }
}

/** The person's Ledger now, read again every few seconds until it can sign. */
export function useDevice(wanted: boolean) {
  const query = useRead('device_get', null, { enabled: wanted });
  const state = query.data?.state;
  // A signature that nobody asked for must not disappear by asking again, and the answer to an
  // earlier question is for the person to give.
  const still = state === 'READY' || state === 'FOREIGN' || state === 'ASKING';
  const waits = wanted && state !== undefined && !still;
  useRead('device_get', null, { enabled: waits, every: waits ? 4_000 : false });
  return query;
}

/** What the device is doing and what to do about it. */
export function DeviceLine(props: {
  device: DeviceView | undefined;
  onLook: () => void;
  onChoose: () => void;
}) {
  const { device } = props;
  if (!device) {
    return (
      <p role="status" className="text-ink3">
        {t('Looking for your Ledger')}
      </p>
    );
  }
  const { shape, title } = stateWords(device.state);
  return (
    <div role="status" className="flex items-start gap-2">
      <span className="pt-0.5">
        <StatusIcon shape={shape} />
      </span>
      <span className="min-w-0">
        <span className="block font-semibold">{title}</span>
        <span className="block text-small text-ink2">{device.advice}</span>
        <span className="-ml-1.5 flex flex-wrap">
          {device.state === 'READY' || device.state === 'NOT_CHOSEN' ? null : (
            <Button look="quiet" onPress={props.onLook}>
              {t('Look again')}
            </Button>
          )}
          <Button look="quiet" onPress={props.onChoose}>
            {t('Choose a Ledger…')}
          </Button>
        </span>
      </span>
    </div>
  );
}

/** What will be on the device, page by page where that is known. */
export function DevicePages(props: {
  review: DeviceReview;
  flow: DeviceFlow;
  onFlow: (flow: DeviceFlow) => void;
  locked: boolean;
}) {
  const { review, flow } = props;
  const shows = flow === 'FULL' ? review.full : review.hashed;
  return (
    <section>
      <SectionHead title={t('What your Ledger will show')}>
        {props.locked ? null : (
          <Segments
            label={t('What is sent to the Ledger')}
            value={flow}
            onChange={props.onFlow}
            options={[
              { id: 'HASHED', label: t('Two hashes') },
              { id: 'FULL', label: t('All fields') },
            ]}
          />
        )}
      </SectionHead>
      <p className="my-2 max-w-prose text-ink2">{shows.note}</p>
      {shows.pages ? (
        <ol className="flex flex-wrap gap-2" aria-label={t('Pages of the device')}>
          {shows.pages.map((page, index) => (
            <li key={index} className="flex w-52 flex-col border border-line2 bg-sunk">
              <span className="flex justify-between border-b border-line px-2 py-0.5 text-cap text-ink3">
                <span>{t('Page {page}', { page: index + 1 })}</span>
                <span>{page.both ? t('both buttons') : t('right button')}</span>
              </span>
              <span className="flex min-h-18 flex-col justify-center px-2 py-1 text-center font-mono text-small">
                {page.lines.map((line, at) => (
                  <span key={at} className={at === 0 ? 'font-semibold' : ''}>
                    {line}
                  </span>
                ))}
              </span>
            </li>
          ))}
        </ol>
      ) : (
        <dl className="flex flex-col gap-2">
          {shows.compare.map((one) => (
            <div key={one.label}>
              <dt className="text-small text-ink3">{one.label}</dt>
              <dd className="font-mono break-all" data-exact={one.value}>
                {one.value}
              </dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  );
}

function Switch(props: { label: string; value: boolean; onChange: (on: boolean) => void }) {
  return (
    <label className="flex items-center gap-2">
      <input
        type="checkbox"
        checked={props.value}
        onChange={(event) => props.onChange(event.target.checked)}
      />
      {props.label}
    </label>
  );
}

/** Chooses the Ledger: its address is compared on its own screen first. */
export function DeviceDialog(props: {
  open: boolean;
  onClose: () => void;
  device: DeviceView | undefined;
  owner: string | null;
}) {
  return (
    <Dialog title={t('Choose a Ledger')} open={props.open} onClose={props.onClose}>
      {props.open ? (
        <DeviceForm device={props.device} owner={props.owner} onClose={props.onClose} />
      ) : null}
    </Dialog>
  );
}

function DeviceForm(props: {
  device: DeviceView | undefined;
  owner: string | null;
  onClose: () => void;
}) {
  const { device, owner } = props;
  const [path, setPath] = useState(device?.path ?? PATHS[0] ?? '');
  const [model, setModel] = useState<DeviceModel | null>(device?.model ?? null);
  const [raw, setRaw] = useState(device?.rawMessages ?? false);
  const [hash, setHash] = useState(device?.transactionHash ?? false);
  const choose = useDo('device_choose', { onDone: props.onClose });
  const wrong = choose.error?.code === 'INVALID_INPUT' ? choose.error.message : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (choose.isPending) return;
    choose.mutate({ path, model, rawMessages: raw, transactionHash: hash });
  };
  return (
    <form onSubmit={submit} className="flex flex-col gap-3">
      <p className="text-ink2">
        {t(
          'The Ledger shows the address of your owner key. Compare it with the one below, letter by letter, and confirm it there.',
        )}
      </p>
      {owner ? (
        <div className="border border-line2 bg-sunk p-2">
          <span className="block text-small text-ink3">{t('Your registered owner key')}</span>
          <Address address={owner} two />
        </div>
      ) : null}
      <TextField
        label={t('Derivation path')}
        mono
        value={path}
        onChange={setPath}
        error={wrong}
        hint={t('Common: {paths}', { paths: PATHS.join('  ') })}
      />
      <Choice
        label={t('Model')}
        value={model}
        onChange={(id) => setModel(MODELS.find((one) => one.id === id)?.id ?? null)}
        options={MODELS}
        placeholder={t('Another, or not known')}
        hint={t('The pages were observed on Nano S Plus and Nano X.')}
      />
      <fieldset className="flex flex-col gap-1">
        <legend className="font-semibold">{t('Settings of its Ethereum app')}</legend>
        <Switch label={t('Raw messages is on')} value={raw} onChange={setRaw} />
        <Switch label={t('Transaction hash is on')} value={hash} onChange={setHash} />
        <span className="text-small text-ink3">{t('The Ledger does not tell these two.')}</span>
      </fieldset>
      {choose.error && !wrong ? <InlineFailure error={choose.error} /> : null}
      <DialogFoot>
        <Button
          safe
          onPress={props.onClose}
          off={choose.isPending ? t('Answer on the Ledger first') : null}
          hideReason
        >
          {t('Keep as it is')}
        </Button>
        <Button
          look="primary"
          type="submit"
          busy={choose.isPending ? t('Compare on the Ledger') : null}
        >
          {t('Compare on the Ledger')}
        </Button>
      </DialogFoot>
    </form>
  );
}
