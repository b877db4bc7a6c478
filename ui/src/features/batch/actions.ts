/** Which actions of a batch are shown, and how they are called. */
import type { Action, ActionName, BatchDetail, PayoutLine } from '../../contract/types';
import { t } from '../../kit/say';

/** Actions that belong to a state: shown there even when they are off, with their reason. */
const STAGE: Record<string, readonly ActionName[]> = {
  DRAFT: ['SUBMIT'],
  PENDING_APPROVAL: ['REJECT', 'RETURN', 'SIGN', 'APPROVE'],
  APPROVED: ['SIGN', 'EXECUTE'],
  EXECUTING: [],
};

/** Lines that cannot be paid, by what was found. */
export function blockedLines(lines: readonly PayoutLine[]): PayoutLine[] {
  return lines.filter((line) => line.warnings.some((one) => one.level === 'BLOCK'));
}

/** Lines that nothing may pay as they are: marked by whoever returned the batch, or stopped by what was found. */
export function stoppedLines(lines: readonly PayoutLine[]): PayoutLine[] {
  return lines.filter(
    (line) => line.mark !== null || line.warnings.some((one) => one.level === 'BLOCK'),
  );
}

/** Why a line is stopped, in one sentence. */
export function whyStopped(line: PayoutLine): string {
  const block = line.warnings.find((one) => one.level === 'BLOCK');
  return block ? `${block.title}: ${block.detail}` : (line.mark ?? '');
}

const ORDER: readonly ActionName[] = [
  'REJECT_ON_CHAIN',
  'REJECT',
  'RETURN',
  'SUBMIT',
  'SEND',
  'EXECUTE',
  'SIGN',
  'APPROVE',
];

/** The actions of the head, in the order of their buttons; cancelling stands apart. */
export function shownActions(batch: BatchDetail): Action[] {
  const stage = STAGE[batch.summary.state] ?? [];
  return ORDER.flatMap((name) => {
    const action = batch.allowed.find((one) => one.name === name);
    return action && (action.enabled || stage.includes(name)) ? [action] : [];
  });
}

/** The leg that the signed-in person signs next: the first that lacks their signature. */
export function legToSign(batch: BatchDetail, owner: string | null): number | null {
  const mine = (leg: BatchDetail['legs'][number]) =>
    owner !== null && leg.signatures.some((one) => one.owner.toLowerCase() === owner.toLowerCase());
  const open = batch.legs.find((leg) => leg.signatures.length < leg.threshold && !mine(leg));
  return (open ?? batch.legs[0])?.index ?? null;
}

/** What the button of an action says. */
export function actionLabel(action: ActionName, batch: BatchDetail, leg: number | null): string {
  const lines = batch.summary.lines;
  const labels: Record<ActionName, string> = {
    SUBMIT: t('Submit…'),
    APPROVE: t('Approve batch…'),
    REJECT: t('Reject…'),
    REJECT_ON_CHAIN: t('Reject on chain…'),
    RETURN: t('Return…'),
    TAKE_OUT: t('Take lines out…'),
    CANCEL: t('Cancel batch…'),
    SIGN: leg === null ? t('Sign…') : t('Sign leg {leg}…', { leg }),
    CARRY: t('Write to a file…'),
    BRING_IN: t('Bring a signature in…'),
    EXECUTE: t('{lines, plural, one {Send # payment…} other {Send # payments…}}', { lines }),
    SEND: t('Send with my key…'),
  };
  return labels[action];
}
