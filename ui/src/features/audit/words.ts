import { t } from '../../kit/say';

/** What was done, in a few words; an action that has no words shows as it is recorded. */
export function actionWord(action: string): string {
  const words: Record<string, string> = {
    'row.made': t('Row made'),
    'row.changed': t('Row changed'),
    'change.proposed': t('Change proposed'),
    'change.confirmed': t('Change confirmed'),
    'change.withdrawn': t('Change withdrawn'),
    'batch.created': t('Batch made'),
    'batch.imported': t('Batch imported'),
    'batch.proposed': t('Batch proposed'),
    'batch.adopted': t('Batch adopted'),
    'batch.submitted': t('Batch submitted'),
    'batch.approved': t('Batch approved'),
    'batch.returned': t('Batch returned'),
    'batch.rejected': t('Batch rejected'),
    'batch.cancelled': t('Batch cancelled'),
    'batch.carried': t('Batch written to a file'),
    'batch.lines_taken_out': t('Lines taken out'),
    'batch.sent': t('Batch sent'),
    'batch.ended': t('Batch ended'),
    'signing.opened': t('Signing opened'),
    'signatures.read': t('Signatures read'),
    'leg.signed': t('Leg signed'),
    'leg.submitted': t('Leg sent'),
    'leg.mined': t('Leg in a block'),
    'leg.confirmed': t('Leg confirmed'),
    'leg.failed': t('Leg failed'),
    'leg.unknown': t('Leg not known'),
    'leg.unpaid': t('Leg un-paid'),
    'leg.reorganised': t('Leg reorganised away'),
    'leg.fee_raised': t('Fee raised'),
    'leg.executed_by_other': t('Leg executed by somebody else'),
    'rejection.asked': t('Rejection asked for'),
    'rejection.signed': t('Rejection signed'),
    'rejection.submitted': t('Rejection sent'),
    'rejection.fee_raised': t('Fee of a rejection raised'),
    'freeze.created': t('Frozen'),
    'export.written': t('File written'),
    'sanctions.imported': t('Sanctions list imported'),
    'settlements.reversed': t('Settlements taken back'),
    'reconciliation.completed': t('Reconciliation run'),
    'inflow.recorded': t('Inflow recorded'),
    'inflow.matched': t('Inflow matched'),
    'inflow.gone': t('Inflow gone'),
    'gas.recorded': t('Gas recorded'),
    'safe.nonce_fell': t('Nonce of a Safe fell'),
    'session.ended': t('Session ended'),
    'intent.revived': t('Intent revived'),
  };
  return words[action] ?? action;
}

/** A name from the database as it is read: `payee_addresses` is `payee addresses`. */
export function spaced(name: string): string {
  return name.replaceAll('_', ' ');
}
