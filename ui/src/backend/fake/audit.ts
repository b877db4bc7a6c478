/** A made-up audit trail. */
import type {
  AuditDetail,
  AuditPage,
  AuditRow,
  AuditState,
  TableQuery,
} from '../../contract/types';
import { auditColumns } from '../../features/audit/columns';
import { refusal } from './fake';
import { pageOf } from './page';

const NEWEST = Date.UTC(2026, 10, 17, 16, 40, 12);
const BATCH = '0193b000-0000-7000-8000-000000000147';
const DONE: [action: string, noun: string, about: string | null, person: string, login: string][] =
  [
    ['batch.approved', 'batch', 'Batch 147, Solver rewards, week 46', 'Tomas Wieczorek', 'tomas'],
    ['row.changed', 'batches', 'Batch 147, Solver rewards, week 46', 'Ines Moreau', 'ines'],
    ['batch.submitted', 'batch', 'Batch 147, Solver rewards, week 46', 'Ines Moreau', 'ines'],
    ['change.confirmed', 'change', 'payee.address', 'Tomas Wieczorek', 'tomas'],
    ['row.made', 'payee_addresses', 'Halden Routing', 'Tomas Wieczorek', 'tomas'],
    ['change.proposed', 'change', 'payee.address', 'Ines Moreau', 'ines'],
    ['leg.confirmed', 'leg', null, 'watcher', 'watcher'],
    ['leg.signed', 'leg', null, 'Adaeze Obi', 'adaeze'],
    ['export.written', 'export', null, 'Mirela Stan', 'mirela'],
    ['row.changed', 'programs', 'Solver rewards', 'Lena Brandt', 'lena'],
  ];

export class FakeAudit {
  private readonly rows: AuditRow[];

  constructor(empty: boolean) {
    const one = (index: number): AuditRow => {
      const [action, noun, about, person, login] = DONE[index % DONE.length] ??
        DONE[0] ?? ['', '', '', '', ''];
      return {
        id: String(1_204_118 - index),
        at: new Date(NEWEST - index * 173_000).toISOString(),
        login,
        person,
        action,
        noun,
        about,
        seq: index < 2 ? null : String(88_310 - index),
        isOfHouse: false,
      };
    };
    this.rows = Array.from({ length: empty ? 0 : 190 }, (_, index) => one(index));
  }

  list(query: TableQuery): AuditPage {
    return pageOf(this.rows, auditColumns('UTC'), query);
  }

  get(id: string): AuditDetail {
    const entry = this.rows.find((row) => row.id === id);
    if (!entry) throw refusal('INVALID_INPUT', `There is no audit entry ${id} here`);
    const isRow = entry.action.startsWith('row.');
    const isAddress = entry.noun === 'payee_addresses';
    return {
      entry,
      fields: isAddress
        ? [
            { name: 'address', before: null, after: '0x84dbAE2549d67CaF00f65C355de3D6F4df59A32C' },
            { name: 'payable_from', before: null, after: '2026-11-18T11:42:00+00:00' },
            { name: 'version', before: null, after: '3' },
          ]
        : isRow
          ? [
              {
                name: 'content_hash',
                before: null,
                after: '7f210c9e44d8b6a37f210c9e44d8b6a37f210c9e44d8b6a37f210c9e44d8b6a3',
              },
              { name: 'state', before: 'DRAFT', after: 'PENDING_APPROVAL' },
              { name: 'submitted_at', before: null, after: '2026-11-16T17:20:04+00:00' },
            ]
          : [],
      said: isRow
        ? [{ name: 'table', before: null, after: entry.noun }]
        : [{ name: 'revision', before: null, after: '3' }],
      address: '10.4.0.17',
      application: 'countersign',
      seal: entry.seq ? '5fa3c0d9'.repeat(8) : null,
      link: isAddress
        ? { place: 'PAYEE', id: '0193f000-0000-7000-8000-000000000000' }
        : entry.about?.startsWith('Batch')
          ? { place: 'BATCH', id: BATCH }
          : null,
    };
  }

  verify(): AuditState {
    const some = this.rows.length > 0;
    return {
      chains: [
        {
          isOfHouse: false,
          sealedTo: some ? '88308' : '0',
          sealedAt: some ? new Date(NEWEST - 346_000).toISOString() : null,
          seal: some ? '5fa3c0d9'.repeat(8) : null,
          broken: null,
        },
      ],
      entries: some ? '88308' : '0',
      unsealed: some ? 2 : 0,
      alarm: null,
      notCompared: null,
      at: new Date(NEWEST).toISOString(),
    };
  }
}
