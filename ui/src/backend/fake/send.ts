/** What a made-up person can pay gas with. */
import type { Commands } from '../../contract/commands';
import type { BatchSent, SendReview } from '../../contract/types';
import { type FakeBatch, openSigning } from './batch';
import { type FakeOptions, refusal } from './fake';
import { ETH, PASSPHRASE, PEOPLE } from './people';

/** A Ledger, where one was chosen, and the key file. */
export function sendReview(
  batch: FakeBatch,
  hasLedger: boolean,
  passphraseKept: boolean,
  isPoor: boolean,
): SendReview {
  const file = '0x9965507D1a55bcC2695C58ba16FB37d819B0A4dc';
  const ledger = '0x8C8d35429F74ec245F8Ef2f4Fd1e551cFF97d650';
  const coins = (amount: string) => ({ asset: ETH, amount });
  const key = (kind: 'LEDGER' | 'SOFTWARE', address: string, amount: string) => ({
    kind,
    address,
    balance: coins(amount),
    problem: amount === '0' ? 'It holds nothing to pay gas with' : null,
  });
  return {
    keys: [
      ...(hasLedger ? [key('LEDGER', ledger, '0.84')] : []),
      key('SOFTWARE', file, isPoor ? '0' : '1.206'),
    ],
    passphraseKept,
    legs: batch.detail.legs.length,
    feeCap: coins('0.5'),
  };
}

/** Sends, unless something keeps it from that. */
export async function send(
  batch: FakeBatch,
  { contentHash, with: key }: Commands['batch_send']['request'],
  ends: FakeOptions['signing'],
  wait: () => Promise<never>,
): Promise<BatchSent> {
  const { detail } = batch;
  if (detail.contentHash !== contentHash)
    throw refusal('CONFLICT', 'The content is not the one on screen: open the batch again.');
  if (key.kind === 'SOFTWARE' && (key.passphrase ?? PASSPHRASE) !== PASSPHRASE)
    throw refusal('INVALID_INPUT', 'This passphrase does not open your key. Nothing was signed.');
  if (ends === 'cancelled') throw refusal('CANCELLED', 'You kept it as it is.');
  if (ends === 'incident') {
    throw refusal(
      'INCIDENT',
      'The signature that came back is not by your key. The Safe is frozen; call the other owners.',
    );
  }
  detail.summary.state = 'EXECUTING';
  if (ends === 'waiting') return wait();
  batch.sentAt = Date.now();
  return { legs: detail.legs.length, note: null };
}

/** The second approval, and the signatures of two owners. */
export function signAll(batch: FakeBatch): void {
  batch.approvedBy.push('Adaeze Obi');
  openSigning(batch);
  const owners = PEOPLE.filter((one) => one.session.ownerAddress).slice(0, 2);
  for (const leg of batch.detail.legs) {
    leg.state = 'SIGNED';
    leg.signatures = owners.map(({ session }) => ({
      person: session.person,
      owner: session.ownerAddress ?? '',
      keyKind: 'SOFTWARE',
      at: new Date().toISOString(),
    }));
  }
}
