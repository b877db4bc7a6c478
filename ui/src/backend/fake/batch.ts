/** Made-up batches: their lines, legs and what each person may do with them. */
import type {
  Action,
  ActionName,
  BatchDetail,
  BatchPreflight,
  Check,
  LegHashes,
  LegView,
  LiveTransaction,
  Money,
  PayoutLine,
  PersonStep,
  Session,
  Warning,
} from '../../contract/types';
import { addDecimals } from '../../kit/decimal';
import { PAYOUT } from './payout';
import { COW, ETH, NAMES, SAFE } from './people';

const MULTI_SEND = '0x9641d764fc13c8B624c04430C7356C1C7C8102e2';
const HASHES: LegHashes[] = [
  {
    domainHash: '0xc03d57206aeb95bb2816e44cec2aeaff23ab39c410e548f01ce7fe7b6aa697ec',
    messageHash: '0x3edab9800d7d902db28580e1d6f031182bdf08e5f841df1132b38b0fff4b1ee8',
    safeTxHash: '0xe0efa77518995dc3fb61718dbde512fe75b97b7e1f1b53476270109dd1813aba',
  },
  {
    domainHash: '0xc03d57206aeb95bb2816e44cec2aeaff23ab39c410e548f01ce7fe7b6aa697ec',
    messageHash: '0x949b8c3f87db8c3fae827abb7cb71a60fb9d65d807bec2a7567b747e8119e744',
    safeTxHash: '0xcf2a5acb2224f2f77e7f6d6748a34d76ef7a4240c67630dfa9c5fde0f536d6b4',
  },
];
export const TX = [
  '0x4f3990ba38c85522112f21791d29c34c33e6b3e13b80b6b27ed5c5a9fd3d546c',
  '0x1cf7f9b1efe3bc47fa27c4c6973c3521a579d66040683a1c86c7490c80bf7291',
];

export function sumOf(lines: readonly { money: Money }[]): Money[] {
  const sums: Money[] = [];
  for (const { money } of lines) {
    const found = sums.find((sum) => sum.asset.symbol === money.asset.symbol);
    if (found) found.amount = addDecimals(found.amount, money.amount);
    else sums.push({ ...money });
  }
  return sums;
}

function warningsOf(index: number, recipient: string, all: readonly string[]): Warning[] {
  const twin = all.findIndex((other, at) => at !== index && other === recipient);
  const also: Warning[] =
    twin >= 0
      ? [
          {
            level: 'NOTE',
            title: `Also paid on line ${twin + 1}`,
            detail: 'Other asset, same address',
            advice: '',
          },
        ]
      : [];
  if (index === 0)
    return [
      {
        level: 'CHECK',
        title: 'Address changed 9 Nov',
        detail: 'Cool-down over, two confirmed',
        advice: 'Ask the payee over another channel',
      },
    ];
  if (index === 4)
    return [
      {
        level: 'CHECK',
        title: '3.1 times its usual amount',
        detail: 'Median of 8 weeks: 10,276 COW',
        advice: 'Compare it with the invoice',
      },
    ];
  if (index === 7 || index > 33) {
    return [
      {
        level: 'CHECK',
        title: 'First payment to this payee',
        detail: 'Not paid before from this program',
        advice: 'Compare the address with what the payee told you',
      },
      ...also,
    ];
  }
  return also;
}

export function payoutLines(state: string): PayoutLine[] {
  const recipients = PAYOUT.map((row) => row[1]);
  return PAYOUT.map(([symbol, recipient, amount], index) => ({
    id: `line ${index + 1}`,
    line: index + 1,
    leg: null,
    payee: NAMES[recipients.indexOf(recipient)] ?? null,
    recipient,
    money: { asset: symbol === 'COW' ? COW : ETH, amount },
    reference: `SR-46-${String(index + 1).padStart(3, '0')}`,
    commissions: 0,
    state,
    warnings: warningsOf(index, recipient, recipients),
    mark: null,
    evidence: null,
  }));
}

/** A made-up batch and what moves in it. */
export interface FakeBatch {
  detail: BatchDetail;
  rejectedBy: string | null;
  approvedBy: string[];
  sentAt: number | null;
}

function legsOf(lines: PayoutLine[]): LegView[] {
  const assets = [...new Set(lines.map((line) => line.money.asset.symbol))];
  return assets.map((symbol, at) => {
    const mine = lines.filter((line) => line.money.asset.symbol === symbol);
    for (const line of mine) line.leg = at + 1;
    return {
      index: at + 1,
      nonce: null,
      state: 'PROPOSED',
      transfers: mine.length,
      totals: sumOf(mine),
      operation: 1,
      target: MULTI_SEND,
      targetName: 'MultiSendCallOnly 1.4.1',
      sentence:
        symbol === 'ETH'
          ? `Runs MultiSendCallOnly 1.4.1, an allowed target, code hash matches. It makes ${mine.length} plain calls, each sends ETH and no data.`
          : `Runs MultiSendCallOnly 1.4.1, an allowed target, code hash matches. It makes ${mine.length} plain calls, each transfer on ${symbol}. No ETH.`,
      refund: 'None; all five gas fields are 0',
      hashes: null,
      signatures: [],
      threshold: 2,
      rejection: null,
      txHash: null,
      block: null,
      confirmations: null,
    };
  });
}

const CHECKS: Check[] = [
  { level: 'OK', label: 'Rebuilt', detail: 'identical to the plan' },
  { level: 'OK', label: 'Simulated', detail: '37 of 37 transfers seen' },
  { level: 'OK', label: 'Safe scan', detail: '2 of 3, no module, no guard' },
  { level: 'OK', label: 'Recipients', detail: 'none blocked, 1 contract' },
  { level: 'OK', label: 'Balance after', detail: '761,332 COW, 48 ETH' },
  { level: 'CHECK', label: 'Line 37', detail: 'dust, gas exceeds it' },
  { level: 'NOTE', label: 'Endpoints', detail: '1 asked; a test chain needs one' },
];

export function makeBatch(
  id: string,
  number: number,
  title: string,
  by: Session,
  period: string,
  times = 1,
): FakeBatch {
  const lines = Array.from({ length: times }, () => payoutLines('PENDING'))
    .flat()
    .map((line, index) => ({ ...line, id: `line ${index + 1}`, line: index + 1 }));
  return {
    approvedBy: [],
    rejectedBy: null,
    sentAt: null,
    detail: {
      summary: {
        id,
        number,
        title,
        state: 'DRAFT',
        revision: 1,
        source: 'FILE',
        preparedBy: by.person,
        createdAt: new Date().toISOString(),
        lines: lines.length,
        payees: new Set(lines.map((line) => line.recipient)).size,
        totals: sumOf(lines),
        settled: 0,
        next: '',
        waitsForMe: false,
        frozen: null,
      },
      contentHash: null,
      file: {
        name: 'cow-solver-payouts-2023-02-14.csv',
        sha256: '7f210c9e44d8b6a3'.repeat(4),
        period,
      },
      safe: SAFE,
      lines,
      legs: [],
      people: [],
      policy: 'Policy: 2 approvals over 100,000 COW',
      approvals: [0, 2],
      checks: [],
      allowed: [],
      lastReason: null,
    },
  };
}

const STOPS: Warning[] = [
  {
    level: 'BLOCK',
    title: 'On the blacklist of COW',
    detail: 'isBlacklisted names the recipient: the transfer would fail, and with it the whole leg',
    advice: 'Take the line out and tell whoever is responsible for compliance',
  },
  {
    level: 'BLOCK',
    title: 'Looks like another address',
    detail: 'It begins or ends like 0x4A5c…19dE (Harrow Lane) and is another one',
    advice:
      'Compare every digit with what the payee told you. If it is theirs, two people put it in the payee book',
  },
];

/** What the chain says: these lines are stopped, everything else is as it should be. */
export function preflightOf(batch: FakeBatch, stopped: readonly number[]): BatchPreflight {
  const found = stopped.filter((line) => batch.detail.lines.some((one) => one.line === line));
  return {
    lines: batch.detail.lines.map((line) => {
      const stop = STOPS[found.indexOf(line.line) % STOPS.length];
      const own = found.includes(line.line) && stop ? [stop] : [];
      return { line: line.line, warnings: [...own, ...line.warnings] };
    }),
    checks: [
      { level: 'OK', label: 'Safe as pinned', detail: '2 of 3, no module, no guard, block 812' },
      { level: 'OK', label: 'Calls', detail: 'Payments alone; no refund' },
      found.length > 0
        ? {
            level: 'BLOCK',
            label: 'Simulated',
            detail: `Leg 1: it would revert: GS013; line ${found[0]} fails`,
          }
        : { level: 'OK', label: 'Simulated', detail: '37 of 37 transfers seen' },
      { level: 'OK', label: 'Safe afterwards', detail: 'Owners, threshold and modules stay' },
    ],
  };
}

/** Submission makes the plan and the content hash. */
export function submit(batch: FakeBatch): void {
  const { detail } = batch;
  detail.summary.state = 'PENDING_APPROVAL';
  detail.legs = legsOf(detail.lines);
  detail.contentHash = '7f210c9e44d8b6a35512e0a7c39d41f8b0266e5d8a17cf93042be6d1905f7c3e';
  detail.checks = CHECKS;
  for (const line of detail.lines) line.state = 'QUEUED';
}

/** When the policy is satisfied, nonces are allocated and the hashes exist. */
export function openSigning(batch: FakeBatch): void {
  batch.detail.summary.state = 'APPROVED';
  for (const leg of batch.detail.legs) {
    leg.nonce = String(8 + leg.index);
    leg.hashes = HASHES[(leg.index - 1) % 2] ?? null;
  }
}

function signed(batch: FakeBatch): boolean {
  return (
    batch.detail.legs.length > 0 &&
    batch.detail.legs.every((leg) => leg.signatures.length >= leg.threshold)
  );
}

function refuse(name: ActionName, session: Session, batch: FakeBatch): string | null {
  const { summary, legs } = batch.detail;
  const may = (permission: string) => session.permissions.includes(permission);
  if (summary.frozen && name !== 'REJECT_ON_CHAIN')
    return 'The batch is frozen; two people lift it';
  switch (name) {
    case 'TAKE_OUT':
      if (summary.state !== 'DRAFT') return 'Only lines of a draft are taken out';
      return may('edit_batch') ? null : 'Needs the permission "edit_batch"';
    case 'SUBMIT':
      if (summary.state !== 'DRAFT') return 'Only a draft is submitted';
      return summary.preparedBy === session.person ? null : 'Only its preparer submits it';
    case 'APPROVE':
      if (summary.state !== 'PENDING_APPROVAL') return 'Nothing is to be approved';
      if (summary.preparedBy === session.person) return 'You prepared it; others approve';
      if (!may('approve')) return 'Needs the permission "approve"';
      return batch.approvedBy.includes(session.person) ? 'You have approved it' : null;
    case 'REJECT':
    case 'RETURN':
      if (summary.state !== 'PENDING_APPROVAL') return 'Only before it is approved';
      return may('approve') && summary.preparedBy !== session.person
        ? null
        : 'Needs the permission "approve"';
    case 'CANCEL':
      if (!['DRAFT', 'PENDING_APPROVAL', 'APPROVED'].includes(summary.state))
        return 'It is final or on its way';
      return may('operate') ? null : 'Needs the permission "operate"';
    case 'SIGN': {
      if (summary.state === 'PENDING_APPROVAL') {
        return `Opens after ${2 - batch.approvedBy.length} more approval${batch.approvedBy.length === 1 ? '' : 's'}`;
      }
      if (summary.state !== 'APPROVED') return 'Nothing is to be signed';
      if (!session.ownerAddress) return 'You hold no owner key of this Safe';
      const left = legs.some((leg) => !leg.signatures.some((one) => one.person === session.person));
      return left ? null : 'You have signed every leg';
    }
    case 'REJECT_ON_CHAIN':
      if (legs.every((leg) => leg.rejection))
        return 'It was asked for: the owners of the Safe sign it';
      return may('operate') ? null : 'Needs the permission "operate"';
    case 'CARRY':
      return may('approve') ? null : 'Needs the permission "approve"';
    case 'BRING_IN':
      return session.ownerAddress ? null : 'You hold no owner key of this Safe';
    case 'SEND':
    case 'EXECUTE': {
      if (summary.state !== 'APPROVED') return 'Opens after approval and signatures';
      const missing = legs.reduce(
        (sum, leg) => sum + Math.max(0, leg.threshold - leg.signatures.length),
        0,
      );
      if (missing > 0) return `Needs ${missing} more signature${missing === 1 ? '' : 's'}`;
      return may('execute') ? null : 'Needs the permission "execute"';
    }
  }
}

const ACTIONS: ActionName[] = [
  'TAKE_OUT',
  'SUBMIT',
  'APPROVE',
  'REJECT',
  'RETURN',
  'CANCEL',
  'SIGN',
  'EXECUTE',
];

/** Offered only once signing is open. */
const APART: ActionName[] = ['CARRY', 'BRING_IN', 'REJECT_ON_CHAIN', 'SEND'];

function people(batch: FakeBatch, session: Session): PersonStep[] {
  const { summary, legs } = batch.detail;
  const steps: PersonStep[] = [
    {
      step: 'PREPARED',
      person: summary.preparedBy,
      at: summary.createdAt,
      detail: 'cannot approve own batch',
    },
    ...batch.approvedBy.map((person) => ({
      step: 'APPROVED',
      person,
      at: summary.createdAt,
      detail: `revision ${summary.revision}, verified`,
    })),
  ];
  if (batch.rejectedBy)
    steps.push({ step: 'REJECTED', person: batch.rejectedBy, at: null, detail: 'for good' });
  if (summary.state === 'PENDING_APPROVAL') {
    const you = refuse('APPROVE', session, batch) === null;
    steps.push({
      step: 'NEEDED',
      person: you ? 'You or Lena Brandt' : 'Adaeze Obi, Tomas Wieczorek or Lena Brandt',
      at: null,
      detail: 'to approve',
    });
  }
  for (const leg of legs) {
    for (const one of leg.signatures)
      steps.push({
        step: 'SIGNED',
        person: one.person,
        at: one.at,
        detail: `leg ${leg.index}, software key`,
      });
  }
  if (batch.sentAt !== null)
    steps.push({ step: 'SENT', person: 'Ines Moreau', at: null, detail: 'to Local chain' });
  return steps;
}

function next(batch: FakeBatch): string {
  const { summary } = batch.detail;
  const left = 2 - batch.approvedBy.length;
  switch (summary.state) {
    case 'DRAFT':
      return `Submit, by ${summary.preparedBy}`;
    case 'PENDING_APPROVAL':
      return `Needs ${left} more approval${left === 1 ? '' : 's'}`;
    case 'APPROVED':
      return signed(batch) ? 'Send, by anyone who may execute' : 'Needs signatures of 2 owners';
    case 'EXECUTING':
      return 'On its way';
    default:
      return 'Nothing; it is final';
  }
}

/** The batch as one person sees it. */
export function seenBy(batch: FakeBatch, session: Session): BatchDetail {
  const { detail } = batch;
  const apart = detail.summary.state === 'APPROVED' ? APART : [];
  const allowed: Action[] = [...ACTIONS, ...apart].map((name) => {
    const reason = refuse(name, session, batch);
    return { name, enabled: reason === null, reason };
  });
  const waits = allowed.some(
    (one) => one.enabled && ['SUBMIT', 'APPROVE', 'SIGN', 'EXECUTE'].includes(one.name),
  );
  return structuredClone({
    ...detail,
    summary: { ...detail.summary, next: next(batch), waitsForMe: waits },
    approvals: [batch.approvedBy.length, 2] as [number, number],
    people: people(batch, session),
    allowed,
  });
}

/** Moves a sent batch along by the time that has passed since. */
export function move(batch: FakeBatch, pace: number, now: number): void {
  if (batch.sentAt === null || batch.detail.summary.state !== 'EXECUTING') return;
  const { detail } = batch;
  const age = (now - batch.sentAt) * pace;
  for (const leg of detail.legs) {
    const mine = age - (leg.index - 1) * 4_000;
    if (mine < 1_000) continue;
    leg.txHash = TX[(leg.index - 1) % 2] ?? null;
    leg.state = mine < 2_000 ? 'SUBMITTED' : mine < 4_000 ? 'MINED' : 'CONFIRMED';
    if (mine >= 2_000) {
      leg.block = String(21_847_330 + leg.index);
      leg.confirmations = [Math.min(3, Math.floor((mine - 1_000) / 1_000)), 3];
    }
    for (const [at, line] of detail.lines.filter((one) => one.leg === leg.index).entries()) {
      line.state = mine >= 4_000 || (mine >= 3_000 && at < 5) ? 'SETTLED' : 'SENT';
      if (line.state === 'SETTLED') {
        line.evidence = {
          txHash: leg.txHash ?? '',
          block: leg.block ?? '',
          position: line.money.asset.token ? `log ${at * 2 + 1}` : `native leg ${at + 1}`,
        };
      }
    }
  }
  detail.summary.settled = detail.lines.filter((line) => line.state === 'SETTLED').length;
  if (detail.summary.settled === detail.lines.length) detail.summary.state = 'EXECUTED';
}

/** Every signed leg that is not executed. */
export function liveOf(batches: readonly FakeBatch[]): LiveTransaction[] {
  return batches.flatMap(({ detail }) =>
    detail.legs
      .filter((leg) => leg.signatures.length > 0 && ['PROPOSED', 'SIGNED'].includes(leg.state))
      .map((leg) => ({
        safeId: detail.safe.id,
        nonce: leg.nonce ?? '',
        batchId: detail.summary.id,
        batch: detail.summary.number,
        leg: leg.index,
        state: leg.state,
        safeTxHash: leg.hashes?.safeTxHash ?? '',
        isRejection: false,
        threshold: leg.threshold,
        signers: leg.signatures.map((one) => ({
          person: one.person,
          owner: one.owner,
          at: one.at,
          leftAt: null,
        })),
      })),
  );
}
