/** Made-up rejections: asked for, signed, and sent at once. */
import type { LegHashes, LegView, RejectionReview, Session, SignWith } from '../../contract/types';
import type { FakeBatch } from './batch';
import { PASSPHRASE } from './people';
import { refusal } from './fake';

const HASHES: LegHashes = {
  domainHash: '0xc03d57206aeb95bb2816e44cec2aeaff23ab39c410e548f01ce7fe7b6aa697ec',
  messageHash: '0x51b36e1ed1df1e2d5f3fc6ebea31b9a8cbcfd1d67c5c6ef1c7b20b0d2f3dc6a1',
  safeTxHash: '0x8a1f0f7ab5cbb3a2c9a1c35dbe8cf7f1f4f39e7ad9b8f7d6a7c0b6bb3b1f5d29',
};

/** Asks the owners to use up the nonces of every leg that is open. */
export function askRejection(batch: FakeBatch, me: Session, reason: string): null {
  if (!me.permissions.includes('operate'))
    throw refusal('FORBIDDEN', 'Your role may not ask for a rejection (needs operate)');
  for (const leg of batch.detail.legs) {
    if (leg.nonce === null || leg.rejection) continue;
    leg.rejection = {
      nonce: leg.nonce,
      state: 'ASKED',
      reason,
      askedBy: me.person,
      askedAt: new Date().toISOString(),
      hashes: HASHES,
      signatures: [],
      threshold: leg.threshold,
    };
  }
  return null;
}

function legOf(batch: FakeBatch, leg: number): LegView {
  const found = batch.detail.legs.find((one) => one.index === leg);
  if (!found?.rejection) throw refusal('CONFLICT', `Nobody asked for the rejection of leg ${leg}`);
  return found;
}

/** What an owner sees before the key is asked. */
export function reviewRejection(batch: FakeBatch, me: Session, leg: number): RejectionReview {
  const view = legOf(batch, leg);
  const mine = view.rejection?.signatures.some((one) => one.person === me.person);
  const reason = mine
    ? 'You signed this rejection'
    : me.ownerAddress
      ? null
      : 'You hold no owner key of this Safe';
  return {
    batch: batch.detail.summary,
    safe: batch.detail.safe,
    leg: view,
    sentence: 'Uses up the nonce and does nothing.',
    checks: [
      {
        level: 'OK',
        label: 'Does nothing',
        detail: 'The Safe calls itself with no value and no data; no refund',
      },
      { level: 'OK', label: 'Nonce', detail: `${view.nonce} is the nonce of leg ${leg}` },
    ],
    signer: me.ownerAddress,
    keys: me.ownerAddress ? ['SOFTWARE'] : [],
    passphraseKept: false,
    device: null,
    sign: { name: 'SIGN', enabled: reason === null, reason },
  };
}

/** One owner's signature; with enough of them the leg is rejected. */
export function signRejection(
  batch: FakeBatch,
  me: Session,
  request: { leg: number; safeTxHash: string; with: SignWith },
) {
  const view = legOf(batch, request.leg);
  if (request.safeTxHash !== HASHES.safeTxHash)
    throw refusal('CONFLICT', "The rejection's hash is not the one on screen: open it again");
  if (request.with.kind === 'SOFTWARE' && request.with.passphrase !== PASSPHRASE)
    throw refusal('INVALID_INPUT', 'The passphrase does not open the key. Nothing was signed.');
  const signatures = view.rejection?.signatures ?? [];
  signatures.push({
    person: me.person,
    owner: me.ownerAddress ?? '',
    keyKind: 'SOFTWARE',
    at: new Date().toISOString(),
  });
  if (view.rejection && signatures.length >= view.threshold) view.rejection.state = 'SIGNED';
  return { signatures: signatures.length, threshold: view.threshold, note: null };
}
