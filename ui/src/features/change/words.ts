import type { ChangeState } from '../../contract/types';
import { t } from '../../kit/say';
import type { Shape } from '../../kit/status';

/** Every kind of change that two people make. */
export const CHANGE_KINDS = [
  'payee.add',
  'payee.address',
  'payee_cooling.set',
  'affiliate.add',
  'affiliate.set',
  'staff.add',
  'staff.revoke',
  'identity_key.add',
  'grant.add',
  'grant.revoke',
  'machine.add',
  'machine.revoke',
  'program.add',
  'program_status.set',
  'chain.add',
  'asset.add',
  'safe.add',
  'policy.set',
  'policy_default.set',
  'rule.set',
  'opening_balance.add',
  'freeze.lift',
  'settlements.reverse',
  'sanctions.replace',
];

/** A kind of change in a few words. */
export function changeWord(kind: string): string {
  const words: Record<string, string> = {
    'payee.add': t('New payee'),
    'payee.address': t('Address of a payee'),
    'payee_cooling.set': t('How long addresses cool down'),
    'affiliate.add': t('New affiliate'),
    'affiliate.set': t('Terms of an affiliate'),
    'staff.add': t('New member of the staff'),
    'staff.revoke': t('Somebody leaves the staff'),
    'identity_key.add': t('Identity key'),
    'grant.add': t('Role given'),
    'grant.revoke': t('Role taken away'),
    'machine.add': t('New machine login'),
    'machine.revoke': t('Machine login revoked'),
    'program.add': t('New program'),
    'program_status.set': t('Status of the program'),
    'chain.add': t('New chain'),
    'asset.add': t('New asset'),
    'safe.add': t('New Safe'),
    'policy.set': t('Policy'),
    'policy_default.set': t('Default policy'),
    'rule.set': t('Commission rule'),
    'opening_balance.add': t('Opening balance'),
    'freeze.lift': t('End of a freeze'),
    'settlements.reverse': t('Settlements taken back'),
    'sanctions.replace': t('Sanctions list replaced'),
  };
  return words[kind] ?? kind;
}

/** A field of a change in a few words; one that has no word shows as it is signed. */
export function fieldWord(name: string): string {
  const words: Record<string, string> = {
    name: t('Name'),
    address: t('Address'),
    wallet: t('Wallet'),
    payee_id: t('Payee'),
    affiliate_id: t('Affiliate'),
    parent_id: t('Parent'),
    referral_code: t('Referral code'),
    tier: t('Tier'),
    active: t('Active'),
    effective_from: t('In force from'),
    hours: t('Hours'),
    login: t('Login'),
    person: t('Person'),
    safe_owner: t('Owner key'),
    staff_id: t('Person'),
    public_key: t('Public key'),
    role: t('Role'),
    grant_id: t('Grant'),
    kind: t('Kind'),
    program_id: t('Program'),
    slug: t('Short name'),
    time_zone: t('Time zone'),
    status: t('Status'),
    chain_id: t('Chain'),
    confirmation_depth: t('Confirmations'),
    gas_max: t('Gas at the most'),
    token: t('Token'),
    symbol: t('Symbol'),
    decimals: t('Decimals'),
    pegged_to: t('Pegged to'),
    version: t('Version'),
    singleton: t('Singleton'),
    fallback_handler: t('Fallback handler'),
    threshold: t('Threshold'),
    owners: t('Owners'),
    asset_id: t('Asset'),
    at_least: t('From this amount on'),
    approvers: t('Approvers'),
    high_value: t('One for high value'),
    software_keys: t('Keys in software'),
    beyond_chain: t('Beyond the chain'),
    currency: t('Currency'),
    base_rate: t('Base rate'),
    override_rate: t('Override rate'),
    tiers: t('Tiers'),
    holding_days: t('Days held'),
    frequency: t('Paid'),
    earning_days: t('Days that earn'),
    minimum_settlements: t('Smallest settlement'),
    minimum_payouts: t('Smallest payout'),
    safe_id: t('Safe'),
    amount: t('Amount'),
    block: t('Block'),
    freeze_id: t('Freeze'),
    intents: t('Intents'),
    reason: t('Reason'),
    list_id: t('Sanctions list'),
  };
  return words[name] ?? name;
}

/** How far a change is, by shape and word. */
export function changeLook(state: ChangeState): { shape: Shape; word: string } {
  const looks: Record<ChangeState, { shape: Shape; word: string }> = {
    WAITING: { shape: 'pending', word: t('Waits for a second person') },
    CONFIRMED: { shape: 'executed', word: t('Confirmed') },
    WITHDRAWN: { shape: 'rejected', word: t('Withdrawn') },
  };
  return looks[state];
}
