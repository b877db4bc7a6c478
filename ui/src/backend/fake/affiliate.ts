/** Made-up affiliates, and what they earned. */
import type {
  AffiliateDetail,
  AffiliatePage,
  AffiliateRow,
  CommissionDetail,
  CommissionPage,
  CommissionRow,
  TableQuery,
} from '../../contract/types';
import { affiliateColumns } from '../../features/affiliate/columns';
import { commissionColumns } from '../../features/commission/columns';
import { payoutLines, sumOf } from './batch';
import { type Handlers, refusal } from './fake';
import { pageOf } from './page';
import { NAMES, USDC } from './people';

const NEWEST = Date.UTC(2026, 10, 17, 14, 5);
const STATES = ['ACCRUED', 'PAYABLE', 'PENDING_APPROVAL', 'PAID'];
const BATCH = '0193b000-0000-7000-8000-000000000147';

function id(kind: string, index: number): string {
  return `0193${kind}-0000-7000-8000-${String(index).padStart(12, '0')}`;
}

/** What was sold, so that the rate of it is the commission. */
function settledOf({ money, rate }: CommissionRow): string {
  const share = BigInt(rate.replace('.', ''));
  const units = (BigInt(money.amount.replace(/[-.]/g, '')) * 100_000_000n) / share;
  const digits = units.toString().padStart(7, '0');
  return `${digits.slice(0, -6)}.${digits.slice(-6)}`;
}

class FakeAffiliates {
  private readonly affiliates: AffiliateRow[] = [];
  private readonly earned: CommissionRow[] = [];

  constructor(empty: boolean) {
    if (empty) return;
    const wallets = [...new Set(payoutLines('SETTLED').map((line) => line.recipient))];
    for (const [index, name] of NAMES.entries()) {
      const parent = index % 3 === 0 ? null : index - (index % 3);
      this.affiliates.push({
        id: id('f000', index),
        name,
        code: name.split(' ')[0]?.toUpperCase() ?? 'CODE',
        wallet: wallets[index] ?? '',
        parentId: parent === null ? null : id('f000', parent),
        parent: parent === null ? null : (NAMES[parent] ?? null),
        tier: index % 4 === 0 ? 'gold' : 'standard',
        isActive: index !== 8,
        children: index % 3 === 0 ? Math.min(2, NAMES.length - index - 1) : 0,
        users: 12 + ((index * 37) % 400),
      });
    }
    for (let index = 0; index < 180; index += 1) this.earned.push(this.commission(index));
  }

  private commission(index: number): CommissionRow {
    const affiliate = this.affiliates[index % this.affiliates.length];
    const state = index < 40 ? 'ACCRUED' : (STATES[1 + (index % 3)] ?? 'PAID');
    const kind = index % 5 === 4 ? 'OVERRIDE' : index === 57 ? 'CLAW_BACK' : 'DIRECT';
    const cents = String(1 + ((index * 7_919_133 + 18_240_511) % 90_000_000)).padStart(8, '0');
    const amount = `${cents.slice(0, -6).replace(/^0+(?=\d)/, '')}.${cents.slice(-6)}`;
    const paid = state === 'PENDING_APPROVAL' || state === 'PAID';
    return {
      id: id('d100', index),
      kind,
      affiliateId: affiliate?.id ?? '',
      affiliate: affiliate?.name ?? '',
      rate:
        kind === 'OVERRIDE'
          ? '0.02000000'
          : affiliate?.tier === 'gold'
            ? '0.20000000'
            : '0.10000000',
      money: { asset: USDC, amount: kind === 'CLAW_BACK' ? `-${amount}` : amount },
      state,
      earnedAt: new Date(NEWEST - index * 5_400_000).toISOString(),
      payableFrom: new Date(NEWEST + (30 * 24 - index * 1.5) * 3_600_000).toISOString(),
      batchId: paid ? BATCH : null,
      batch: paid ? 147 : null,
    };
  }

  list(query: TableQuery): CommissionPage {
    const all = pageOf(this.earned, commissionColumns('UTC'), {
      ...query,
      offset: 0,
      limit: 1_000,
    });
    return { ...pageOf(this.earned, commissionColumns('UTC'), query), totals: sumOf(all.rows) };
  }

  get(wanted: string): CommissionDetail {
    const commission = this.earned.find((one) => one.id === wanted);
    if (!commission) throw refusal('INVALID_INPUT', `There is no commission ${wanted}`);
    const isGold = commission.rate.startsWith('0.2');
    return {
      commission,
      intentId: '0193a000-0000-7000-8000-000000000013',
      intent: 'commerce:90099',
      settlementState: 'CONFIRMED',
      settled: { asset: USDC, amount: settledOf(commission) },
      ruleId: '0193c000-0000-7000-8000-000000000901',
      ruleVersion: 3,
      baseRate: '0.10000000',
      overrideRate: '0.02000000',
      holdingDays: 30,
      ruleFrom: '2026-09-01T00:00:00Z',
      tier: isGold ? 'gold' : 'standard',
      tierRate: isGold ? '0.20000000' : null,
      takesBack: commission.kind === 'CLAW_BACK' ? id('d100', 56) : null,
      takenBackBy: null,
      line: commission.batchId ? 4 : null,
      lineState: commission.batchId ? (commission.state === 'PAID' ? 'SETTLED' : 'PENDING') : null,
    };
  }

  affiliateList(query: TableQuery): AffiliatePage {
    const sorted = [...this.affiliates].sort((a, b) => a.name.localeCompare(b.name));
    return pageOf(sorted, affiliateColumns(), query);
  }

  affiliateGet(wanted: string): AffiliateDetail {
    const affiliate = this.affiliates.find((one) => one.id === wanted);
    if (!affiliate) throw refusal('INVALID_INPUT', `There is no affiliate ${wanted}`);
    const own = this.earned.filter((one) => one.affiliateId === wanted);
    return {
      affiliate,
      children: this.affiliates.filter((one) => one.parentId === wanted),
      totals: STATES.flatMap((state) => {
        const of = own.filter((one) => one.state === state);
        const [money] = sumOf(of);
        return money ? [{ state, count: of.length, money }] : [];
      }),
      terms: [
        ...(affiliate.tier === 'gold'
          ? [{ tier: 'gold', isActive: affiliate.isActive, from: '2026-06-01T00:00:00Z' }]
          : []),
        { tier: 'standard', isActive: true, from: null },
      ],
    };
  }
}

/** What is answered about commissions and affiliates. */
export function affiliateHandlers(empty: () => boolean) {
  let made: FakeAffiliates | null = null;
  const of = () => {
    made ??= new FakeAffiliates(empty());
    return made;
  };
  return {
    commission_list: (query) => of().list(query),
    commission_get: ({ id: wanted }) => of().get(wanted),
    affiliate_list: (query) => of().affiliateList(query),
    affiliate_get: ({ id: wanted }) => of().affiliateGet(wanted),
  } satisfies Partial<Handlers>;
}
