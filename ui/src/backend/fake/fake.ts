/**
 * A made-up backend that keeps the rules of the main job, for tests of screens and for looking at
 * them without a core. Never part of the window that ships.
 */
import type { Commands } from '../../contract/commands';
import type {
  ApiError,
  DeviceChoose,
  DeviceModel,
  DeviceState,
  DeviceView,
  ErrorCode,
  ExportView,
  Health,
  KeyKind,
  LegView,
  RunDetail,
  Session,
  WaitingItem,
} from '../../contract/types';
import type { AnswerOf, Backend, CommandName, RequestOf } from '../backend';
import {
  type FakeBatch,
  liveOf,
  makeBatch,
  move,
  openSigning,
  preflightOf,
  seenBy,
  submit,
  sumOf,
} from './batch';
import { affiliateHandlers } from './affiliate';
import { fakeCode, fileOf } from './apart';
import { balances, commissionTotals, journal, makeRun, payable, trialBalance } from './books';
import { FakeBook, bookHandlers } from './book';
import { ADVICE, checkPath, deviceReview } from './device';
import { previewOf } from './file';
import { FakeIntents } from './intent';
import { FakeLink } from './link';
import { FakeLock } from './lock';
import { PASSPHRASE, PEOPLE, SAFE } from './people';
import { askRejection, reviewRejection, signRejection } from './rejection';
import { send, sendReview, signAll } from './send';

export interface FakeOptions {
  /** How fast a sent batch moves: 1 takes about ten seconds. */
  pace?: number;
  /** Start signed in as this profile. */
  as?: string;
  /** Start with nothing in the books. */
  empty?: boolean;
  /** What choosing a file gives. */
  file?: 'good' | 'bad' | 'again' | 'none';
  /** How signing ends. */
  signing?: 'stored' | 'cancelled' | 'incident' | 'waiting';
  /** What a person types to sign in; nothing unless it is said. */
  password?: string;
  /** Seconds until it locks by itself. */
  locksInSecs?: number;
  /** Whether the computer has a key store. */
  keyStore?: 'there' | 'none';
  /** A Ledger is chosen, and this is what it is doing. */
  device?: DeviceState;
  /** Which Ledger; a Nano X unless said otherwise. */
  model?: DeviceModel | null;
  /** Repeats the payout so often, to look at long batches. */
  times?: number;
  /** Lines that the chain stops. */
  stopped?: number[];
  /** Milliseconds before each answer. */
  delay?: number;
  /** Every owner signed the open batch, and it waits to be sent. */
  ready?: boolean;
  /** Keys hold no coin to pay gas with. */
  poor?: boolean;
  /** The shared database does not answer; `back` says that it does when it is asked again. */
  offline?: 'away' | 'back';
  /** The local copy is being filled for the first time. */
  filling?: 'going' | 'paused';
  /** Commands that fail, with what they say. */
  fails?: Partial<Record<CommandName, ApiError>>;
}

export type Handlers = {
  [K in CommandName]: (request: RequestOf<K>) => AnswerOf<K> | Promise<AnswerOf<K>>;
};

export function refusal(code: ErrorCode, message: string): ApiError {
  return { code, message, reference: code === 'INTERNAL' || code === 'INCIDENT' ? 'f-1204' : null };
}

class Fake {
  private session: Session | null;
  private readonly batches: FakeBatch[] = [];
  private readonly runs: RunDetail[] = [];
  private readonly exports: ExportView[] = [];
  private readonly intents: FakeIntents;
  private readonly book: FakeBook;
  private frozen: string | null = null;
  private ledger: DeviceChoose | null = null;
  private readonly clock: FakeLock;
  private stopWaiting: () => void = () => undefined;
  private kept = false;
  readonly link: FakeLink;
  private imported: FakeBatch | null = null;

  constructor(private readonly options: FakeOptions) {
    this.clock = new FakeLock(options.locksInSecs);
    this.link = new FakeLink(options.offline, options.filling);
    this.session = PEOPLE.find((one) => one.profile.id === options.as)?.session ?? null;
    this.intents = new FakeIntents(options.empty ?? false);
    this.book = new FakeBook(options.empty ?? false, options.file ?? 'good');
    if (!options.empty) this.history();
    if (options.device) {
      const path = "m/44'/60'/0'/0/0";
      const model = options.model === undefined ? 'NANO_X' : options.model;
      this.ledger = { path, model, rawMessages: false, transactionHash: false };
    }
  }

  /** One batch that is paid, one that waits for approval, two runs. */
  private history(): void {
    const by = PEOPLE[0]?.session;
    if (!by) return;
    const paid = makeBatch(
      '0193b000-0000-7000-8000-000000000145',
      145,
      'Solver rewards, week 45',
      by,
      '2023-02-01 to 2023-02-07',
    );
    submit(paid);
    openSigning(paid);
    paid.approvedBy.push('Adaeze Obi', 'Tomas Wieczorek');
    paid.detail.summary.state = 'EXECUTING';
    paid.sentAt = 0;
    move(paid, 1, 60_000);
    const open = makeBatch(
      '0193b000-0000-7000-8000-000000000147',
      147,
      'Solver rewards, week 46',
      by,
      '2023-02-07 to 2023-02-14',
      this.options.times ?? 1,
    );
    submit(open);
    open.approvedBy.push('Tomas Wieczorek');
    if (this.options.ready) signAll(open);
    this.batches.push(open, paid);
    this.runs.push(
      makeRun('run-92', 92, [paid.detail], true, 'Mirela Stan'),
      makeRun('run-91', 91, [paid.detail], false, 'Mirela Stan'),
    );
  }

  private lock(session: Session): void {
    this.clock.lock(session);
    this.session = null;
  }

  private me(): Session {
    if (this.session && this.clock.leftMs() === 0) this.lock(this.session);
    if (this.clock.locked)
      throw refusal('LOCKED', 'The console is locked: type the password again');
    if (!this.session)
      throw refusal('NOT_SIGNED_IN', 'Nobody is signed in. Choose who is working.');
    return this.session;
  }

  private batch(id: string): FakeBatch {
    const found = this.batches.find((one) => one.detail.summary.id === id);
    if (!found) throw refusal('INVALID_INPUT', `There is no batch ${id} in this program.`);
    move(found, this.options.pace ?? 1, Date.now());
    return found;
  }

  /** The batch, if this person may do that with it now. */
  private allowed(id: string, name: string): FakeBatch {
    const batch = this.batch(id);
    const action = seenBy(batch, this.me()).allowed.find((one) => one.name === name);
    if (!action?.enabled) throw refusal('FORBIDDEN', action?.reason ?? 'That is not possible.');
    return batch;
  }

  private waiting(): WaitingItem[] {
    const me = this.me();
    return this.batches.flatMap((batch) => {
      const { allowed, summary } = seenBy(this.batch(batch.detail.summary.id), me);
      const can = (name: string) => allowed.some((one) => one.name === name && one.enabled);
      const [verb, button, reason] = can('SUBMIT')
        ? ['Submit batch', 'Submit…', 'It is a draft; nobody else can go on with it']
        : can('APPROVE')
          ? ['Approve batch', 'Review', 'Policy over 100,000 COW asks for a second approver']
          : can('SIGN')
            ? ['Countersign', 'Sign…', 'You hold an owner key']
            : can('EXECUTE')
              ? ['Send batch', 'Send…', 'All signatures are in']
              : [null, '', ''];
      return verb
        ? [
            {
              verb,
              subject: summary.title,
              reason,
              totals: summary.totals,
              since: summary.createdAt,
              batchId: summary.id,
              button,
            },
          ]
        : [];
    });
  }

  private health(): Health {
    const away = this.link.health();
    if (away) return away;
    return {
      checks: [
        { level: 'OK', label: 'Database', detail: 'answers in 3 ms' },
        { level: 'OK', label: 'Worker', detail: '1 running, queue empty' },
        { level: 'OK', label: 'Local chain', detail: 'block 21,847,332' },
        { level: 'OK', label: 'Ledger', detail: 'balanced' },
        { level: 'NOTE', label: 'Audit', detail: '1,204,118 entries' },
        this.frozen
          ? { level: 'CHECK', label: 'Freeze', detail: this.frozen }
          : { level: 'OK', label: 'Freezes', detail: 'none' },
      ],
      at: new Date().toISOString(),
      filling: this.link.filling(),
    };
  }

  private device(): DeviceView {
    const chosen = this.ledger;
    const state = chosen ? (this.options.device ?? 'READY') : 'NOT_CHOSEN';
    const owner = this.me().ownerAddress;
    return {
      state,
      advice: ADVICE[state] ?? 'Follow what the Ledger says.',
      path: chosen?.path ?? "m/44'/60'/0'/0/0",
      model: chosen?.model ?? null,
      rawMessages: chosen?.rawMessages ?? false,
      transactionHash: chosen?.transactionHash ?? false,
      appVersion: state === 'READY' ? '1.22.0' : null,
      address: state === 'READY' ? owner : null,
    };
  }

  private sign({ batchId, leg, with: key, safeTxHash }: Commands['leg_sign']['request']) {
    const me = this.me();
    const batch = this.allowed(batchId, 'SIGN');
    const view = batch.detail.legs.find((one) => one.index === leg);
    if (!view?.hashes) throw refusal('CONFLICT', 'This leg has no nonce yet.');
    if (view.hashes.safeTxHash !== safeTxHash)
      throw refusal('CONFLICT', 'The rows changed meanwhile. Read the leg again.');
    if (key.kind === 'SOFTWARE' && key.passphrase === null && !this.kept)
      throw refusal('INVALID_INPUT', 'This computer keeps no passphrase of your key: type it.');
    if (key.kind === 'SOFTWARE' && (key.passphrase ?? PASSPHRASE) !== PASSPHRASE)
      throw refusal('INVALID_INPUT', 'The passphrase does not open the key. Nothing was signed.');
    if (this.options.signing === 'cancelled') throw refusal('CANCELLED', 'You cancelled.');
    if (this.options.signing === 'incident') {
      throw refusal(
        'INCIDENT',
        'The signature that came back does not belong to the payment on this screen.',
      );
    }
    this.store(view, me, key.kind);
    const wanted = key.kind === 'SOFTWARE' && key.keep;
    const note =
      wanted && this.options.keyStore === 'none'
        ? 'The passphrase is not kept. This computer has no key store that can be reached'
        : null;
    this.kept ||= wanted && note === null;
    return { signatures: view.signatures.length, threshold: view.threshold, note };
  }

  /** A Ledger that asks until one stops waiting. */
  private wait(): Promise<never> {
    const said = 'You stopped waiting and the device still asks: refuse it there.';
    return new Promise((_, refuse) => {
      this.stopWaiting = () => refuse(refusal('CONFLICT', said));
    });
  }

  private store(leg: LegView, me: Session, keyKind: KeyKind): void {
    leg.signatures.push({
      person: me.person,
      owner: me.ownerAddress ?? '',
      keyKind,
      at: new Date().toISOString(),
    });
    leg.state = 'SIGNED';
  }

  private review({ batchId, leg }: Commands['leg_review']['request']) {
    const me = this.me();
    const detail = seenBy(this.batch(batchId), me);
    const view = detail.legs.find((one) => one.index === leg);
    if (!view) throw refusal('INVALID_INPUT', `Batch ${detail.summary.number} has no leg ${leg}.`);
    const action = detail.allowed.find((one) => one.name === 'SIGN') ?? {
      name: 'SIGN' as const,
      enabled: false,
      reason: null,
    };
    const mine = view.signatures.some((one) => one.person === me.person);
    return {
      batch: detail.summary,
      safe: detail.safe,
      leg: view,
      lines: detail.lines.filter((line) => line.leg === leg),
      checks: detail.checks.filter((check) => check.label !== 'Line 37'),
      signer: me.ownerAddress,
      keys: me.ownerAddress
        ? [...(this.ledger ? (['LEDGER'] as const) : []), 'SOFTWARE' as const]
        : [],
      passphraseKept: this.kept,
      device: this.ledger && view.hashes ? deviceReview(this.ledger.model, view.hashes) : null,
      sign: mine
        ? { name: 'SIGN' as const, enabled: false, reason: 'You have signed this leg' }
        : action,
    };
  }

  private decide(id: string, name: 'RETURN' | 'REJECT' | 'CANCEL', reason: string): null {
    const batch = this.allowed(id, name);
    batch.detail.lastReason = `${reason} (${this.me().person})`;
    batch.approvedBy = [];
    batch.detail.summary.state =
      name === 'RETURN' ? 'DRAFT' : name === 'REJECT' ? 'REJECTED' : 'CANCELLED';
    if (name === 'REJECT') batch.rejectedBy = this.me().person;
    return null;
  }

  readonly handlers: Handlers = {
    session_profiles: () => ({
      profiles: PEOPLE.map((one) => ({
        ...one.profile,
        needsPassword: this.options.password !== undefined,
      })),
      database: 'countersign_demo on a local socket',
      demoPassphrase: PASSPHRASE,
      locked: this.clock.locked,
    }),
    session_open: ({ profileId, password }) => {
      const found = PEOPLE.find((one) => one.profile.id === profileId);
      if (!found) throw refusal('INVALID_INPUT', `There is no profile ${profileId}.`);
      if (this.options.password !== undefined && password !== this.options.password)
        throw refusal('UNAVAILABLE', `The password does not open ${found.profile.login}.`);
      this.clock.open();
      this.session = found.session;
      return found.session;
    },
    session_lock: () => {
      this.lock(this.me());
      return null;
    },
    session_activity: () => {
      this.me();
      this.clock.moved();
      return null;
    },
    session_clock: () => {
      this.me();
      return { locksInSecs: Math.ceil(this.clock.leftMs() / 1_000) };
    },
    session_close: () => {
      this.session = null;
      this.clock.open();
      return null;
    },
    session_get: () => ({ ...this.me(), link: this.link.now }),
    session_reconnect: () => {
      this.link.ask();
      return { ...this.me(), link: this.link.now };
    },
    session_fill: ({ paused }) => this.link.fill(paused),
    health_get: () => this.health(),
    home_get: () => ({
      waiting: this.waiting(),
      balances: this.options.empty ? [] : balances(),
      commissions: this.options.empty ? [] : commissionTotals(),
      runs: this.runs.map((run) => run.summary),
    }),
    freeze_create: ({ scope, id, reason }) => {
      this.frozen = `${scope.toLowerCase()}, by ${this.me().person}`;
      if (scope === 'BATCH')
        this.batch(id).detail.summary.frozen = `${this.me().person}: ${reason}`;
      return null;
    },
    safe_list: () => [SAFE],
    safe_signatures: () => liveOf(this.batches),
    intent_list: (query) => this.intents.list(query),
    intent_get: ({ id }) => this.intents.get(id, this.me()),
    intent_revive: ({ ids }) => this.intents.revive(ids),
    ...bookHandlers(
      () => this.book,
      () => this.me(),
    ),
    ...affiliateHandlers(() => this.options.empty ?? false),
    commission_payable: () => (this.options.empty ? [] : payable()),
    batch_list: () =>
      this.batches.map((batch) => seenBy(this.batch(batch.detail.summary.id), this.me()).summary),
    batch_get: ({ id }) => seenBy(this.batch(id), this.me()),
    batch_choose_file: () => previewOf(this.options.file ?? 'good', this.imported),
    batch_import: ({ title, period }) => {
      const number = 148 + this.batches.length;
      const id = `0193b000-0000-7000-8000-000000000${number}`;
      this.imported = makeBatch(id, number, title, this.me(), period);
      this.batches.unshift(this.imported);
      return { id };
    },
    batch_from_commissions: ({ title }) => {
      const number = 148 + this.batches.length;
      const id = `0193b000-0000-7000-8000-000000000${number}`;
      this.batches.unshift(makeBatch(id, number, title, this.me(), ''));
      return { id };
    },
    batch_submit: ({ id }) => {
      submit(this.allowed(id, 'SUBMIT'));
      return null;
    },
    batch_approve: ({ id, contentHash }) => {
      const batch = this.allowed(id, 'APPROVE');
      if (batch.detail.contentHash !== contentHash)
        throw refusal('CONFLICT', 'The content changed. Read the batch again.');
      batch.approvedBy.push(this.me().person);
      if (batch.approvedBy.length >= 2) openSigning(batch);
      return null;
    },
    batch_preflight: ({ id }) => preflightOf(this.batch(id), this.options.stopped ?? []),
    batch_return: ({ id, reason, marks }) => {
      const { lines, summary } = this.batch(id).detail;
      this.decide(id, 'RETURN', reason);
      summary.revision += 1;
      for (const line of lines) {
        const mark = marks.find((one) => one.line === line.line);
        line.mark = mark ? `${this.me().person}: ${mark.reason}` : null;
      }
      return null;
    },
    batch_take_out: ({ id, lines }) => {
      const { detail } = this.allowed(id, 'TAKE_OUT');
      detail.lines = detail.lines.filter((line) => !lines.includes(line.line));
      detail.summary.lines = detail.lines.length;
      detail.summary.totals = sumOf(detail.lines);
      detail.summary.revision += 1;
      return null;
    },
    batch_reject: ({ id, reason }) => this.decide(id, 'REJECT', reason),
    batch_cancel: ({ id, reason }) => this.decide(id, 'CANCEL', reason),
    batch_execute: ({ id }) => {
      const batch = this.allowed(id, 'EXECUTE');
      batch.detail.summary.state = 'EXECUTING';
      batch.sentAt = Date.now();
      return null;
    },
    batch_send_review: ({ id }) =>
      sendReview(this.batch(id), this.ledger !== null, this.kept, this.options.poor === true),
    batch_send: (request) =>
      send(this.allowed(request.id, 'SEND'), request, this.options.signing, () => this.wait()),
    batch_carry: ({ id }) => {
      const { detail } = this.allowed(id, 'CARRY');
      const path = `/home/adaeze/batch-${detail.summary.number}.json`;
      return { path, legs: detail.legs.length };
    },
    batch_verify: () => {
      const batch = this.batches.find((one) => one.detail.legs.some((leg) => leg.hashes));
      return batch ? fileOf(batch, 'Solver rewards') : null;
    },
    batch_bring_in: ({ id }) => {
      const [leg] = this.allowed(id, 'BRING_IN').detail.legs;
      if (!leg) return null;
      this.store(leg, this.me(), 'SOFTWARE');
      return { leg: leg.index, signatures: leg.signatures.length, threshold: leg.threshold };
    },
    leg_code: ({ batchId, leg }) => {
      const found = this.batch(batchId).detail.legs.find((one) => one.index === leg);
      if (!found?.hashes) throw refusal('CONFLICT', 'Signing opens when the policy is satisfied');
      return { hashes: found.hashes, code: fakeCode(found.hashes) };
    },
    device_get: () => this.device(),
    device_choose: (request) => {
      checkPath(request.path);
      this.ledger = request;
      return this.device();
    },
    device_stop: () => {
      this.stopWaiting();
      return null;
    },
    key_forget: () => {
      this.kept = false;
      return null;
    },
    leg_review: (request) => this.review(request),
    leg_sign: async (request) =>
      request.with.kind === 'LEDGER' && this.options.signing === 'waiting'
        ? this.wait()
        : this.sign(request),
    rejection_ask: ({ batchId, reason }) => askRejection(this.batch(batchId), this.me(), reason),
    rejection_review: ({ batchId, leg }) => reviewRejection(this.batch(batchId), this.me(), leg),
    rejection_sign: (request) => signRejection(this.batch(request.batchId), this.me(), request),
    ledger_trial_balance: () =>
      this.options.empty ? { accounts: [], totals: [] } : trialBalance(),
    reconciliation_list: () => this.runs.map((run) => run.summary),
    reconciliation_run: () => {
      const done = this.batches
        .filter((batch) => batch.detail.summary.state === 'EXECUTED')
        .map((batch) => batch.detail);
      const number = 93 + this.runs.length - 2;
      this.runs.unshift(makeRun(`run-${number}`, number, done, false, this.me().person));
      return { id: `run-${number}` };
    },
    reconciliation_get: ({ id }) => {
      const found = this.runs.find((run) => run.summary.id === id);
      if (!found) throw refusal('INVALID_INPUT', `There is no run ${id}.`);
      return found;
    },
    export_preview: () => (this.options.empty ? { rows: 0, totals: [], first: [] } : journal()),
    export_journal: (period) => {
      const view: ExportView = {
        id: `export ${this.exports.length + 1}`,
        at: new Date().toISOString(),
        person: this.me().person,
        kind: 'Journal, CSV',
        period,
        fileName: `journal-${period.from}-${period.to}.csv`,
        rows: 8,
        sha256: '3d5a90c1'.repeat(8),
      };
      this.exports.unshift(view);
      return {
        export: view,
        path: `/home/mirela/Exports/${view.fileName}`,
        totals: journal().totals,
      };
    },
    export_list: () => [...this.exports],
  };
}

/** A made-up backend. */
export function makeFake(options: FakeOptions = {}): Backend {
  const fake = new Fake(options);
  return {
    async call(name, request) {
      await new Promise((done) => setTimeout(done, options.delay ?? 0));
      const failure = options.fails?.[name];
      if (failure) throw failure;
      fake.link.refuse(name);
      return fake.handlers[name](request);
    },
  };
}
