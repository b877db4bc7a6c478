/** A made-up payee book, and changes that wait for a second person. */
import type {
  ChangeDetail,
  ChangeField,
  ChangePage,
  ChangeProof,
  ChangeRow,
  PayeeDetail,
  PayeeFilePreview,
  PayeePage,
  PayeeRow,
  PayeeVersion,
  Session,
  TableQuery,
} from '../../contract/types';
import type { Commands } from '../../contract/commands';
import { changeColumns } from '../../features/change/columns';
import { payeeColumns } from '../../features/payee/columns';
import { FakeAudit } from './audit';
import { type Handlers, refusal } from './fake';
import { pageOf } from './page';
import { payoutLines } from './batch';
import { NAMES } from './people';

const PROVEN: ChangeProof = {
  isProven: true,
  detail: 'Both signatures verify from the keys that this machine pinned',
};
const NOW = Date.UTC(2026, 10, 17, 16, 42);
const HOUR = 3_600_000;

function idOf(kind: string, index: number): string {
  return `0193${kind}-0000-7000-8000-${String(index).padStart(12, '0')}`;
}

interface Kept {
  row: ChangeRow;
  permission: string;
  fields: ChangeField[];
  payload: string;
  warnings: string[];
  reason: string | null;
}

export class FakeBook {
  private readonly payees: PayeeRow[] = [];
  private readonly versions = new Map<string, PayeeVersion[]>();
  private readonly changes: Kept[] = [];
  readonly audit: FakeAudit;

  constructor(
    empty: boolean,
    private readonly file: string,
  ) {
    this.audit = new FakeAudit(empty);
    if (empty) return;
    const wallets = [...new Set(payoutLines('SETTLED').map((line) => line.recipient))];
    for (const [index, name] of NAMES.entries()) this.known(name, wallets[index] ?? '', index);
    this.waits();
  }

  private known(name: string, address: string, index: number): void {
    const id = idOf('f000', index);
    const isCooling = index === 0;
    const version = isCooling ? 3 : index % 4 === 1 ? 2 : 1;
    const changed = isCooling ? NOW - 5 * HOUR : NOW - (40 + index * 13) * 24 * HOUR;
    const payments = isCooling || index === 7 ? 0 : 3 + ((index * 17) % 60);
    const at = (time: number) => new Date(time).toISOString();
    this.payees.push({
      id,
      name,
      kind: index % 3 === 2 ? 'OTHER' : 'AFFILIATE',
      address,
      version,
      state: isCooling ? 'COOLING' : index === 9 ? 'BLOCKED' : 'PAYABLE',
      changedAt: at(changed),
      payableFrom: at(isCooling ? changed + 24 * HOUR : changed),
      firstPaidAt: payments > 0 ? at(changed + 9 * 24 * HOUR) : null,
      payments,
      waiting: null,
    });
    const versions = Array.from({ length: version }, (_, back): PayeeVersion => {
      const older =
        back === 0 ? address : `${address.slice(0, 12 + back)}${'7a3f'}${address.slice(16 + back)}`;
      const since = changed - back * 90 * 24 * HOUR;
      const change = idOf('c000', index * 10 + back);
      const row: ChangeRow = {
        id: change,
        kind: back === version - 1 ? 'payee.add' : 'payee.address',
        subject: name,
        isOfHouse: false,
        state: 'CONFIRMED',
        proposer: 'Ines Moreau',
        proposedAt: at(since - 2 * HOUR),
        decider: index % 2 ? 'Adaeze Obi' : 'Tomas Wieczorek',
        decidedAt: at(since),
        waitsForMe: false,
      };
      this.keep(row, 'manage_payees', [
        { name: 'address', value: older, was: null },
        { name: 'name', value: name, was: null },
      ]);
      return {
        version: version - back,
        address: older,
        changedAt: at(since),
        payableFrom: at(back === version - 1 ? since : since + 24 * HOUR),
        changeId: change,
        proposer: row.proposer,
        confirmer: row.decider,
        proof: PROVEN,
        firstPaidAt: at(since + 9 * 24 * HOUR),
        payments: back === 0 ? payments : 6 + back,
      };
    });
    this.versions.set(id, versions);
  }

  private keep(row: ChangeRow, permission: string, fields: ChangeField[], warnings: string[] = []) {
    const payload = JSON.stringify(
      Object.fromEntries(fields.map((field) => [field.name, field.value.toLowerCase()])),
    );
    this.changes.push({ row, permission, fields, payload, warnings, reason: null });
  }

  private waits(): void {
    const payee = this.payees[3];
    if (!payee) return;
    const next = `${payee.address.slice(0, 14)}1e7A${payee.address.slice(18)}`;
    payee.waiting = idOf('c000', 900);
    const wait = (index: number, kind: string, subject: string, proposer: string): ChangeRow => ({
      id: idOf('c000', index),
      kind,
      subject,
      isOfHouse: kind === 'grant.add',
      state: 'WAITING',
      proposer,
      proposedAt: new Date(NOW - (index - 898) * HOUR).toISOString(),
      decider: null,
      decidedAt: null,
      waitsForMe: true,
    });
    this.keep(
      wait(900, 'payee.address', payee.name, 'Ines Moreau'),
      'manage_payees',
      [
        { name: 'address', value: next, was: payee.address },
        { name: 'payee_id', value: payee.name, was: null },
      ],
      [
        `It begins or ends like ${payee.address} of “${payee.name}” and is another one: compare every digit`,
      ],
    );
    this.keep(wait(901, 'policy.set', 'COW', 'Lena Brandt'), 'manage_rules', [
      { name: 'approvers', value: '2', was: null },
      { name: 'asset_id', value: 'COW', was: null },
      { name: 'at_least', value: '100,000 COW', was: null },
      { name: 'high_value', value: 'true', was: null },
    ]);
    this.keep(wait(902, 'grant.add', 'Mirela Stan, manager', 'Joakim Ahl'), 'manage_staff', [
      { name: 'role', value: 'manager', was: null },
      { name: 'staff_id', value: 'Mirela Stan', was: null },
    ]);
  }

  private find(id: string): Kept {
    const found = this.changes.find((one) => one.row.id === id);
    if (!found) throw refusal('INVALID_INPUT', `There is no change ${id} here`);
    return found;
  }

  private confirmOff(kept: Kept, me: Session): string | null {
    if (kept.row.state === 'CONFIRMED') return 'It is confirmed already';
    if (kept.row.state === 'WITHDRAWN') return 'It was withdrawn';
    if (kept.row.proposer === me.person) return 'You proposed it: somebody else confirms it';
    return me.permissions.includes(kept.permission)
      ? null
      : `Needs the permission "${kept.permission}"`;
  }

  private seen(kept: Kept, me: Session): ChangeRow {
    return { ...kept.row, waitsForMe: this.confirmOff(kept, me) === null };
  }

  listChanges(query: TableQuery, me: Session): ChangePage {
    const order = (one: Kept) => `${one.row.state === 'WAITING' ? 1 : 0} ${one.row.proposedAt}`;
    const sorted = [...this.changes].sort((a, b) => order(b).localeCompare(order(a)));
    return pageOf(
      sorted.map((one) => this.seen(one, me)),
      changeColumns('UTC'),
      query,
    );
  }

  getChange(id: string, me: Session): ChangeDetail {
    const kept = this.find(id);
    const isMine = kept.row.proposer === me.person;
    const off = this.confirmOff(kept, me);
    return {
      change: this.seen(kept, me),
      fields: kept.fields,
      payload: kept.payload,
      contentHash: '5d0e77c1'.repeat(8),
      permission: kept.permission,
      reason: kept.reason,
      warnings: kept.row.state === 'WAITING' ? kept.warnings : [],
      proof: kept.row.state === 'CONFIRMED' ? PROVEN : null,
      confirmOff: off,
      withdrawOff: kept.row.state === 'WAITING' && isMine ? null : off,
      isMine,
    };
  }

  confirm({ changes }: Commands['change_confirm']['request'], me: Session): null {
    for (const { id } of changes) {
      const kept = this.find(id);
      const off = this.confirmOff(kept, me);
      if (off) throw refusal('FORBIDDEN', off);
      kept.row.state = 'CONFIRMED';
      kept.row.decider = me.person;
      kept.row.decidedAt = new Date(NOW).toISOString();
      for (const payee of this.payees) if (payee.waiting === id) payee.waiting = null;
    }
    return null;
  }

  withdraw({ id, reason }: Commands['change_withdraw']['request'], me: Session): null {
    const kept = this.find(id);
    kept.row.state = 'WITHDRAWN';
    kept.row.decider = me.person;
    kept.row.decidedAt = new Date(NOW).toISOString();
    kept.reason = reason;
    for (const payee of this.payees) if (payee.waiting === id) payee.waiting = null;
    return null;
  }

  listPayees(query: TableQuery): PayeePage {
    const sorted = [...this.payees].sort((a, b) => a.name.localeCompare(b.name));
    return pageOf(sorted, payeeColumns('UTC'), query);
  }

  getPayee(id: string, me: Session): PayeeDetail {
    const payee = this.payees.find((one) => one.id === id);
    if (!payee) throw refusal('INVALID_INPUT', `There is no payee ${id} in this program`);
    const lines = payoutLines('SETTLED').filter((line) => line.recipient === payee.address);
    return {
      payee,
      versions: this.versions.get(id) ?? [],
      paid:
        payee.payments > 0
          ? lines.map((line) => ({
              batchId: '0193b000-0000-7000-8000-000000000145',
              batch: 145,
              title: 'Solver rewards, week 45',
              line: line.line,
              money: line.money,
              state: 'SETTLED',
              version: payee.version,
            }))
          : [],
      sanctions: payee.state === 'BLOCKED' ? ['OFAC SDN, entry 30518: “HYDRA MARKET”'] : [],
      lookAlikes:
        payee.version === 3
          ? [
              {
                name: 'Sable Research',
                address: `${payee.address.slice(0, 18)}48E4${payee.address.slice(22)}`,
              },
            ]
          : [],
      coolingHours: 24,
      changeOff: payee.waiting
        ? 'Another address waits for its second person'
        : me.permissions.includes('manage_payees')
          ? null
          : 'Needs the permission "manage_payees"',
    };
  }

  propose(request: Commands['payee_propose']['request'], me: Session): { id: string } {
    const payee = this.payees.find((one) => one.id === request.payeeId);
    if (request.address.endsWith('00'))
      throw refusal(
        'INVALID_INPUT',
        'The last letter does not fit the checksum. Paste the address again from its source.',
      );
    const id = idOf('c000', 950 + this.changes.length);
    if (payee) payee.waiting = id;
    const address = { name: 'address', value: request.address, was: payee?.address ?? null };
    this.keep(
      {
        id,
        kind: payee ? 'payee.address' : 'payee.add',
        subject: payee?.name ?? request.name,
        isOfHouse: false,
        state: 'WAITING',
        proposer: me.person,
        proposedAt: new Date(NOW).toISOString(),
        decider: null,
        decidedAt: null,
        waitsForMe: false,
      },
      'manage_payees',
      [
        address,
        payee
          ? { name: 'payee_id', value: payee.name, was: null }
          : { name: 'name', value: request.name, was: null },
      ],
    );
    return { id };
  }

  choose(): PayeeFilePreview {
    const [, otterline] = this.payees;
    const bad = this.file === 'bad';
    return {
      token: 'book-1',
      fileName: 'payees-2026-11.csv',
      sha256: '9c1f0ab2'.repeat(8),
      lines:
        bad || !otterline
          ? []
          : [
              {
                fileLine: 2,
                name: otterline.name,
                address: `${otterline.address.slice(0, 38)}90aB`,
                effect: 'CHANGED',
                was: otterline.address,
              },
              {
                fileLine: 3,
                name: 'Granary Nine',
                address: '0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed',
                effect: 'NEW',
                was: null,
              },
              {
                fileLine: 4,
                name: 'Quartz Solve',
                address: this.payees[2]?.address ?? '',
                effect: 'SAME',
                was: null,
              },
            ],
      errors: bad
        ? [
            {
              fileLine: 4,
              field: 'address',
              message:
                'The address has a wrong checksum (EIP-55), so a character may be mistyped; copy it again from its source.',
            },
            {
              fileLine: 9,
              field: 'name',
              message: 'Halden Routing stands in line 2 already; keep one of them.',
            },
          ]
        : [],
    };
  }
}

/** What is answered from the book, from changes and from the trail. */
export function bookHandlers(book: () => FakeBook, me: () => Session) {
  return {
    change_list: (query) => book().listChanges(query, me()),
    change_get: ({ id }) => book().getChange(id, me()),
    change_confirm: (request) => book().confirm(request, me()),
    change_withdraw: (request) => book().withdraw(request, me()),
    payee_list: (query) => book().listPayees(query),
    payee_get: ({ id }) => book().getPayee(id, me()),
    payee_propose: (request) => book().propose(request, me()),
    payee_choose_file: () => book().choose(),
    payee_import: () => {
      for (const line of book()
        .choose()
        .lines.filter((one) => one.effect !== 'SAME'))
        book().propose({ payeeId: null, name: line.name, address: line.address }, me());
      return { changes: 2 };
    },
    payee_export: () => ({
      path: '/home/ines/Exports/payees-solver-rewards.csv',
      rows: 13,
      sha256: '3d5a90c1'.repeat(8),
    }),
    audit_list: (query) => book().audit.list(query),
    audit_get: ({ id }) => book().audit.get(id),
    audit_verify: () => book().audit.verify(),
  } satisfies Partial<Handlers>;
}
