/** Everything here is made up: people, wallets of affiliates, Safes. Only for tests and for looking. */
import type { AssetTag, Link, Profile, SafeView, Session } from '../../contract/types';

export const COW: AssetTag = {
  symbol: 'COW',
  decimals: 18,
  token: '0xDEf1CA1fb7FBcDC777520aa7f396b4E015F497aB',
};
export const ETH: AssetTag = { symbol: 'ETH', decimals: 18, token: null };
export const USDC: AssetTag = {
  symbol: 'USDC',
  decimals: 6,
  token: '0x5FbDB2315678afecb367f032d93F642f64180aa3',
};

export const PASSPHRASE = 'correct horse battery staple';

export const ONLINE: Link = {
  state: 'ONLINE',
  since: '2026-11-20T08:00:00Z',
  dataAt: null,
  reason: null,
};

const PROGRAM = {
  id: '0193b000-0000-7000-8000-000000000001',
  name: 'Solver rewards',
  status: 'ACTIVE',
  timeZone: 'UTC',
};

interface Person {
  profile: Profile;
  session: Session;
}

function person(
  id: string,
  name: string,
  duty: string,
  roles: string[],
  permissions: string[],
  ownerAddress: string | null,
): Person {
  const login = name.split(' ')[0]?.toLowerCase() ?? id;
  return {
    profile: { id, person: name, login, duty, needsPassword: false },
    session: {
      person: name,
      login,
      roles,
      permissions: ['view', ...permissions],
      ownerAddress,
      program: PROGRAM,
      demoPassphrase: PASSPHRASE,
      link: ONLINE,
    },
  };
}

const MANAGER = [
  'export',
  'operate',
  'execute',
  'resolve_discrepancy',
  'manage_payees',
  'approve',
  'view_audit',
];

export const PEOPLE: readonly Person[] = [
  person(
    'ines',
    'Ines Moreau',
    'Processor',
    ['processor'],
    [
      'create_batch',
      'edit_batch',
      'submit_batch',
      'export',
      'operate',
      'execute',
      'resolve_discrepancy',
      'manage_payees',
    ],
    null,
  ),
  person(
    'adaeze',
    'Adaeze Obi',
    'Manager, owner key of Ops',
    ['manager'],
    MANAGER,
    '0x70997970C51812dc3A010C7d01b50e0d17dc79C8',
  ),
  person(
    'tomas',
    'Tomas Wieczorek',
    'Manager, owner key of Ops',
    ['manager'],
    MANAGER,
    '0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC',
  ),
  person(
    'lena',
    'Lena Brandt',
    'Admin, owner key of Ops',
    ['admin'],
    [...MANAGER, 'approve_high_value', 'manage_rules', 'close_period'],
    '0x90F79bf6EB2c4f870365E785982E1f101E93b906',
  ),
  person(
    'mirela',
    'Mirela Stan',
    'Accountant',
    ['accountant'],
    ['export', 'view_audit', 'close_period'],
    null,
  ),
  person(
    'joakim',
    'Joakim Ahl',
    'Super admin',
    ['super_admin'],
    ['export', 'operate', 'view_audit', 'manage_rules', 'manage_staff'],
    null,
  ),
];

export const SAFE: SafeView = {
  id: '0193b000-0000-7000-8000-00000000005a',
  name: 'Solver rewards',
  address: '0x5aFE3855358E112B5647B952709E6165e1c1eEEe',
  chainId: '31337',
  chain: 'Local chain',
  version: '1.4.1',
  threshold: 2,
  owners: PEOPLE.flatMap((one) =>
    one.session.ownerAddress
      ? [{ address: one.session.ownerAddress, person: one.session.person }]
      : [],
  ),
  nonce: '9',
};

/** Names for some of the receivers; the others stay unknown, as they are in such files. */
export const NAMES = [
  'Halden Routing',
  'Otterline Labs',
  'Quartz Solve',
  'Northmere Trading',
  'Pelican Markets',
  'Sable Research',
  'Kestrel Flow',
  'Brightwater Labs',
  'Tern & Vale',
  'Corvid Labs',
  'Ardent Flow',
  'Meridian Six',
  'Lowland Systems',
];
