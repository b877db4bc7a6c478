/** What a made-up Ledger shows. */
import type {
  DeviceModel,
  DevicePage,
  DeviceReview,
  DeviceShows,
  DeviceState,
  LegHashes,
} from '../../contract/types';
import { deviceLines } from '../../kit/hash';
import { refusal } from './fake';

/** What each state advises. */
export const ADVICE: Partial<Record<DeviceState, string>> = {
  READY: 'Ethereum app 1.22.0 is open',
  NOT_CHOSEN: 'No Ledger is chosen on this machine: connect yours and choose it',
  NOT_CONNECTED:
    'No Ledger is connected: plug it in with a cable that carries data, unlock it and open the Ethereum app',
  LOCKED: 'The device is locked: unlock it with its PIN, then ask again',
  WRONG_APP:
    'The device does not have the Ethereum app open: open it on the device, then ask again',
  BLIND_SIGNING_OFF: "Switch blind signing on in the settings of the device's Ethereum app",
};

function page(lines: string[], both = false): DevicePage {
  return { lines, both };
}

function hashPages(title: string, hash: string): DevicePage[] {
  const lines = deviceLines(hash);
  return [
    page([`${title} (1/2)`, ...lines.slice(0, 3)]),
    page([`${title} (2/2)`, ...lines.slice(3)]),
  ];
}

function framed(pages: DevicePage[]): DevicePage[] {
  return [
    page(['Blind signing ahead', 'To accept risk, press ', 'both buttons'], true),
    page(['Review typed ', 'message']),
    ...pages,
    page(['Sign message'], true),
  ];
}

/** Pages on a Nano X, and what to compare on everything else. */
export function deviceReview(model: DeviceModel | null, hashes: LegHashes): DeviceReview {
  const observed = model === 'NANO_X' || model === 'NANO_S_PLUS';
  const value = (label: string, hash: string) => ({
    label,
    value: `0x${hash.slice(2).toUpperCase()}`,
  });
  const domain = value('Domain hash', hashes.domainHash);
  const message = value('Message hash', hashes.messageHash);
  const messagePages = hashPages('Message hash', hashes.messageHash);
  const hashed: DeviceShows = {
    pages: observed
      ? framed([...hashPages('Domain hash', hashes.domainHash), ...messagePages])
      : null,
    compare: [domain, message],
    note: observed
      ? 'As observed with app 1.22.0: both hashes, and not the Safe transaction hash'
      : 'How this device breaks the hashes into pages was not observed: compare both hashes from first to last character',
  };
  const full: DeviceShows = {
    pages: observed ? framed([page(['chainId', '1']), ...messagePages]) : null,
    compare: [message],
    note: observed
      ? 'As observed with app 1.22.0: neither recipient nor calldata; the message hash stands for them'
      : 'What this device shows in the full flow was not observed: compare what it shows, and refuse if neither hash nor fields are complete',
  };
  return { model, hashed, full };
}

/** Refuses a path that the Ethereum app does not derive. */
export function checkPath(path: string): void {
  if (!path.startsWith("m/44'/60'"))
    throw refusal('INVALID_INPUT', "The Ethereum app derives only below m/44'/60' and m/45'.");
}
