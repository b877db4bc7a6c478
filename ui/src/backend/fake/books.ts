/** Made-up books: ledger, commissions, reconciliation, journal. */
import type {
  AccountRow,
  BatchDetail,
  CommissionTotals,
  DiscrepancyView,
  Home,
  JournalPreview,
  JournalRow,
  PayableRow,
  RunDetail,
  TrialBalance,
} from '../../contract/types';
import { addDecimals } from '../../kit/decimal';
import { COW, ETH, SAFE, USDC } from './people';

export function balances(): Home['balances'] {
  const of = (
    asset: typeof COW,
    onChain: string,
    committed: string,
    available: string,
    committedPercent: number,
    inLedger = onChain,
  ) => ({
    safeName: SAFE.name,
    safeAddress: SAFE.address,
    asset,
    onChain,
    inLedger,
    committed,
    available,
    agrees: onChain === inLedger,
    committedPercent,
  });
  return [
    of(COW, '1204118.9022359918', '442786.4239935922618', '761332.4782423995382', 37),
    of(ETH, '118.402193', '69.594461273223693556', '48.807731726776306444', 59),
    of(USDC, '388417.2041', '61204.1185', '327213.0856', 16, '388471.4041'),
  ];
}

export function commissionTotals(): CommissionTotals[] {
  return [
    { asset: USDC, accrued: '31250.5', payable: '9381.25', inBatch: '0', paid: '44120.88' },
    { asset: COW, accrued: '1200.123456789', payable: '800', inBatch: '442.5', paid: '0' },
  ];
}

export function payable(): PayableRow[] {
  const row = (
    affiliate: string,
    wallet: string,
    direct: string,
    over: string,
    commissions: number,
  ): PayableRow => ({
    affiliate,
    wallet,
    commissions,
    direct: { asset: USDC, amount: direct },
    over: { asset: USDC, amount: over },
    owedBack: { asset: USDC, amount: '0' },
    total: { asset: USDC, amount: addDecimals(direct, over) },
    period: ['2026-10-01', '2026-10-31'],
  });
  return [
    row('Harrow Lane', '0x22DEE0935c77d32c7241362b14e76fc2D5eF657d', '4820.5', '120.25', 41),
    row('Corvid Labs', '0x55A37A2E5e5973510Ac9D9C723aeC213fA161919', '2610.000001', '364.09', 28),
    row('Dunlin', '0x7A0A8890D71A4834285efDc1D18bb3828e765C6A', '980', '0', 9),
    row('Granary Nine', '0x080a8b1E2f3695E179453c5e617b72A381BE44B9', '486.409999', '0', 4),
  ];
}

export function trialBalance(): TrialBalance {
  const row = (
    code: string,
    name: string,
    asset: typeof COW,
    debits: string,
    credits: string,
    side: 'debit' | 'credit',
    balance: string,
    held = '0',
  ): AccountRow => ({
    code,
    name,
    asset,
    debits,
    credits,
    debitBalance: side === 'debit' ? balance : null,
    creditBalance: side === 'credit' ? balance : null,
    held,
  });
  return {
    accounts: [
      row(
        'program:7f3a:equity',
        'Equity of Solver rewards',
        COW,
        '0',
        '1646905.3262295840618',
        'credit',
        '1646905.3262295840618',
      ),
      row(
        'safe:5aFE:treasury',
        'Treasury, Safe Solver rewards',
        COW,
        '1646905.3262295840618',
        '442786.4239935922618',
        'debit',
        '1204118.9022359918',
      ),
      row(
        'program:7f3a:expense',
        'Expense, solver rewards',
        COW,
        '442786.4239935922618',
        '0',
        'debit',
        '442786.4239935922618',
      ),
      row('program:7f3a:revenue', 'Revenue', USDC, '0', '432592.0841', 'credit', '432592.0841'),
      row('system:settlements', 'Settlements', USDC, '432592.0841', '432592.0841', 'debit', '0'),
      row(
        'safe:5aFE:treasury',
        'Treasury, Safe Solver rewards',
        USDC,
        '432592.0841',
        '44120.68',
        'debit',
        '388471.4041',
        '61204.1185',
      ),
      row(
        'affiliate:harrow-lane:liability',
        'Owed to Harrow Lane',
        USDC,
        '0',
        '4940.75',
        'credit',
        '4940.75',
      ),
      row(
        'program:7f3a:expense',
        'Expense, commissions',
        USDC,
        '49061.43',
        '0',
        'debit',
        '49061.43',
      ),
    ],
    totals: [
      {
        asset: COW,
        debits: '1646905.3262295840618',
        credits: '1646905.3262295840618',
        balanced: true,
      },
      { asset: USDC, debits: '437532.8341', credits: '437532.8341', balanced: true },
    ],
  };
}

const ALTERED: DiscrepancyView = {
  id: 'discrepancy 1',
  number: 1,
  kind: 'amount_mismatch',
  state: 'OPEN',
  title: 'The chain paid another amount than the batch says',
  subject: 'Batch 145, line 2',
  leftName: 'Batch',
  rightName: 'Chain',
  asset: COW,
  leftAmount: '98755.84073018428',
  rightAmount: '98575.84073018428',
  difference: '180',
  fields: [
    {
      label: 'Amount',
      left: '98755.84073018428',
      right: '98575.84073018428',
      kind: 'amount',
      differs: true,
    },
    {
      label: 'Paid to',
      left: '0x6C642caFCbd9d8383250bb25F67aE409147f78b2',
      right: '0x6C642caFCbd9d8383250bb25F67aE409147f78b2',
      kind: 'address',
      differs: false,
    },
    { label: 'From', left: SAFE.address, right: SAFE.address, kind: 'address', differs: false },
    {
      label: 'When',
      left: '2023-02-14 16:02:11 UTC',
      right: '2023-02-14 16:02:11 UTC',
      kind: 'text',
      differs: false,
    },
    {
      label: 'Source',
      left: '0x4f3990ba38c85522112f21791d29c34c33e6b3e13b80b6b27ed5c5a9fd3d546c',
      right: '0x4f3990ba38c85522112f21791d29c34c33e6b3e13b80b6b27ed5c5a9fd3d546c',
      kind: 'hash',
      differs: false,
    },
  ],
  batchId: null,
};

const MISSING: DiscrepancyView = {
  ...ALTERED,
  id: 'discrepancy 2',
  number: 2,
  kind: 'missing_on_chain',
  title: 'The ledger has a payment that the chain does not show',
  subject: 'Batch 145, line 13',
  asset: ETH,
  leftName: 'Ledger',
  leftAmount: '3.1508650554110536',
  rightAmount: null,
  difference: '3.1508650554110536',
  fields: [
    { label: 'Amount', left: '3.1508650554110536', right: null, kind: 'amount', differs: true },
    {
      label: 'Paid to',
      left: '0xBFF9a1B539516F9e20c7b621163e676949959a66',
      right: null,
      kind: 'address',
      differs: true,
    },
  ],
};

/** A run: over the executed batches, with or without the two altered lines. */
export function makeRun(
  id: string,
  number: number,
  batches: BatchDetail[],
  altered: boolean,
  by: string,
): RunDetail {
  const now = Date.now();
  const matches = batches.flatMap((batch) =>
    batch.lines.map((line) => ({
      batch: batch.summary.number,
      batchId: batch.summary.id,
      line: line.line,
      recipient: line.recipient,
      money: line.money,
      rule: 'exact',
      txHash:
        line.evidence?.txHash ??
        '0x4f3990ba38c85522112f21791d29c34c33e6b3e13b80b6b27ed5c5a9fd3d546c',
      position: line.evidence?.position ?? `log ${line.line}`,
    })),
  );
  const kept = altered ? matches.filter((match) => match.line !== 2 && match.line !== 13) : matches;
  const first = batches[0]?.summary.id ?? null;
  const discrepancies = altered
    ? [ALTERED, MISSING].map((one) => ({ ...one, batchId: first }))
    : [];
  const rate = altered ? '94.59' : '100.00';
  return {
    summary: {
      id,
      number,
      startedAt: new Date(now - 410).toISOString(),
      completedAt: new Date(now).toISOString(),
      startedBy: by,
      blocks: ['21727182', '21835122'],
      lines: matches.length,
      matched: kept.length,
      matchRate: rate,
      open: discrepancies.length,
    },
    groups: [
      { kind: 'matched', label: 'Agrees on all sides', count: kept.length, money: [] },
      ...discrepancies.map((one) => ({
        kind: one.kind,
        label: one.kind === 'amount_mismatch' ? 'Amount differs' : 'Not on chain',
        count: 1,
        money: [{ asset: one.asset, amount: one.difference }],
      })),
    ],
    discrepancies,
    matches: kept,
  };
}

export function journal(): JournalPreview {
  const rows: JournalRow[] = payable().flatMap((row, index) => {
    const shared = {
      entry: String(4_181 + index),
      date: '2026-11-14',
      asset: USDC,
      reference: `Batch 145, line ${index + 1}`,
      narration: `Payout to ${row.affiliate}`,
    };
    const slug = row.affiliate.toLowerCase().replace(' ', '-');
    return [
      {
        ...shared,
        account: `affiliate:${slug}:liability`,
        name: `Owed to ${row.affiliate}`,
        debit: row.total.amount,
        credit: '',
      },
      {
        ...shared,
        account: 'safe:5aFE:treasury',
        name: 'Treasury, Safe Solver rewards',
        debit: '',
        credit: row.total.amount,
      },
    ];
  });
  return {
    rows: rows.length,
    totals: [{ asset: USDC, debits: '9381.25', credits: '9381.25', entries: 4 }],
    first: rows,
  };
}
