/** Made-up intents: many, and the same every time. */
import type {
  IntentDetail,
  IntentPage,
  IntentRow,
  Session,
  TableQuery,
} from '../../contract/types';
import { compareDecimals } from '../../kit/decimal';
import { intentColumns } from '../../features/intent/columns';
import { filterRows } from '../../table/filter';
import { refusal } from './fake';
import { USDC } from './people';

const KINDS = ['COMMERCE', 'COMMERCE', 'COMMERCE', 'CLAIM', 'REGISTER'];
const ERRORS = [
  'user_not_found: no user harbour-7731 is registered in this program',
  'rate_limited: the platform answers again at 14:20',
];
const COUNT = 10_000;
const NEWEST = Date.UTC(2026, 10, 17, 16, 40);

function idOf(index: number): string {
  return `0193a000-0000-7000-8000-${String(index).padStart(12, '0')}`;
}

function stateOf(index: number): string {
  if (index < 3) return ['PENDING', 'LOCKED', 'PENDING'][index] ?? 'PENDING';
  if (index % 977 === 5) return 'DEAD';
  return index % 401 === 7 ? 'FAILED' : 'COMPLETED';
}

function rowOf(index: number): IntentRow {
  const kind = KINDS[index % KINDS.length] ?? 'COMMERCE';
  const state = stateOf(index);
  const at = NEWEST - index * 41_000;
  const done = state === 'COMPLETED';
  const wrong = state === 'DEAD' || state === 'FAILED';
  const cents = String((index * 7_919) % 900_000).padStart(6, '0');
  return {
    id: idOf(index),
    kind,
    key: `${kind.toLowerCase()}:${90_112 - index}`,
    state,
    money:
      done && kind !== 'REGISTER'
        ? {
            asset: USDC,
            amount: `${cents.slice(0, -2).replace(/^0+(?=\d)/, '')}.${cents.slice(-2)}`,
          }
        : null,
    attempts: state === 'DEAD' ? 6 : wrong ? 2 : done ? 1 : 0,
    error: wrong ? (ERRORS[index % ERRORS.length] ?? null) : null,
    createdAt: new Date(at).toISOString(),
    completedAt: done ? new Date(at + 900).toISOString() : null,
  };
}

export class FakeIntents {
  private rows: IntentRow[] | null = null;

  private readonly revived = new Set<string>();

  constructor(private readonly empty: boolean) {}

  private all(): IntentRow[] {
    this.rows ??= Array.from({ length: this.empty ? 0 : COUNT }, (_, index) => rowOf(index));
    return this.rows.map((row) =>
      this.revived.has(row.id) ? { ...row, state: 'PENDING', error: null, attempts: 0 } : row,
    );
  }

  list(query: TableQuery): IntentPage {
    const all = this.all();
    const rows = filterRows(all, intentColumns('UTC'), query.filters);
    const { sort } = query;
    if (sort) {
      const order = (a: IntentRow, b: IntentRow) =>
        sort.column === 'money'
          ? compareDecimals(a.money?.amount ?? '0', b.money?.amount ?? '0')
          : sort.column === 'attempts'
            ? a.attempts - b.attempts
            : a.createdAt.localeCompare(b.createdAt);
      rows.sort((a, b) => (sort.descending ? order(b, a) : order(a, b)));
    }
    return {
      size: { shown: rows.length, all: all.length },
      rows: rows.slice(query.offset, query.offset + query.limit),
    };
  }

  get(id: string, me: Session): IntentDetail {
    const intent = this.all().find((one) => one.id === id);
    if (!intent) throw refusal('INVALID_INPUT', `There is no intent ${id} in this program.`);
    const { money } = intent;
    const may = me.permissions.includes('operate');
    return {
      intent,
      payload: JSON.stringify(
        {
          user: 'harbour-7731',
          asset: 'USDC',
          amount: money?.amount ?? '120.5',
          charge: intent.key,
        },
        null,
        2,
      ),
      fingerprint: '9f21c4e07ab35d180f6b2c9947de31f0a8b5c61273e94d08b2fa5c7719e0d346',
      nextAttemptAt: intent.state === 'FAILED' ? '2026-11-17T17:40:00Z' : null,
      timeline: [
        { at: intent.createdAt, what: 'Written', detail: 'by the platform login shop' },
        ...(intent.error
          ? [{ at: intent.createdAt, what: `Tried ${intent.attempts} times`, detail: intent.error }]
          : []),
        ...(intent.completedAt
          ? [{ at: intent.completedAt, what: 'Completed', detail: 'with its effects, at once' }]
          : []),
      ],
      user: 'harbour-7731',
      settlement: money
        ? {
            id: '0193c000-0000-7000-8000-000000000001',
            state: 'CONFIRMED',
            money,
            rail: 'card',
            txHash: null,
            occurredAt: intent.createdAt,
            confirmedAt: intent.completedAt,
          }
        : null,
      commissions: money
        ? [
            {
              id: '0193d000-0000-7000-8000-000000000001',
              kind: 'DIRECT',
              affiliate: 'Harrow Lane',
              rate: '0.10000000',
              money: { asset: USDC, amount: '18.240511' },
              state: 'PAYABLE',
              payableFrom: '2026-12-15T00:00:00Z',
              batchId: null,
            },
            {
              id: '0193d000-0000-7000-8000-000000000002',
              kind: 'OVERRIDE',
              affiliate: 'Corvid Labs',
              rate: '0.02000000',
              money: { asset: USDC, amount: '3.648102' },
              state: 'PENDING_APPROVAL',
              payableFrom: '2026-12-15T00:00:00Z',
              batchId: '0193b000-0000-7000-8000-000000000147',
            },
          ]
        : [],
      transfers: money
        ? [
            {
              id: '0193e000-0000-7000-8000-000000000001',
              debit: 'system:settlements',
              credit: 'program:7f3a:revenue',
              money,
              at: intent.completedAt ?? intent.createdAt,
            },
          ]
        : [],
      reviveOff:
        intent.state !== 'DEAD'
          ? 'Only a dead intent can be sent through again'
          : may
            ? null
            : 'Needs the permission "operate"',
    };
  }

  revive(ids: string[]): null {
    for (const id of ids) this.revived.add(id);
    return null;
  }
}
