/** Whether the made-up shared database answers. */
import type { Filling, Health, Link } from '../../contract/types';
import type { CommandName } from '../backend';
import { refusal } from './fake';
import { ONLINE } from './people';

/** What the local copy and the machine itself answer. */
const LOCAL: ReadonlySet<CommandName> = new Set<CommandName>([
  'session_profiles',
  'session_open',
  'session_close',
  'session_lock',
  'session_activity',
  'session_clock',
  'session_get',
  'session_reconnect',
  'session_fill',
  'health_get',
  'home_get',
  'safe_list',
  'batch_list',
  'batch_get',
  'commission_payable',
  'ledger_trial_balance',
  'reconciliation_list',
  'reconciliation_get',
  'export_list',
  'change_list',
  'change_get',
  'payee_list',
  'payee_get',
  'intent_list',
  'intent_get',
  'device_get',
  'device_stop',
  'key_forget',
  'batch_verify',
]);

/** The shared database went away so many milliseconds ago. */
function awayFor(milliseconds: number): Link {
  const since = new Date(Date.now() - milliseconds).toISOString();
  return {
    state: 'OFFLINE',
    since,
    dataAt: since,
    reason:
      'countersign on db.example cannot be reached (connection refused): check the host, the port and that the server runs',
  };
}

export class FakeLink {
  now: Link;

  constructor(
    private readonly away: 'away' | 'back' | undefined,
    private fills: 'going' | 'paused' | undefined,
  ) {
    this.now = away ? awayFor(12 * 60_000) : ONLINE;
  }

  /** Somebody asks whether it answers again. */
  ask(): void {
    if (this.away === 'back') this.now = ONLINE;
  }

  /** Refuses what needs the shared database while it is away. */
  refuse(name: CommandName): void {
    if (this.now.state === 'ONLINE' || LOCAL.has(name)) return;
    throw refusal(
      'UNAVAILABLE',
      'The shared database has not answered since 2026-11-20 14:32 UTC, and this needs it: nothing was done, and nothing is kept to be done later',
    );
  }

  /** What the status bar says while it is away. */
  health(): Health | null {
    if (this.now.state === 'ONLINE') return null;
    return {
      checks: [
        { level: 'CHECK', label: 'Offline', detail: 'data of 2026-11-20 14:32 UTC' },
        { level: 'UNKNOWN', label: 'Workers', detail: 'unknown' },
        { level: 'UNKNOWN', label: 'Chain', detail: 'not read' },
      ],
      at: new Date().toISOString(),
      filling: null,
    };
  }

  /** How the first filling of the copy goes, if it does. */
  filling(): Filling | null {
    if (this.fills === undefined) return null;
    const going = { rowsPerSecond: '41200', secondsLeft: 23 };
    const waiting = { rowsPerSecond: null, secondsLeft: null };
    return {
      rowsRead: '1204118',
      rowsExpected: '2150000',
      ...(this.fills === 'paused' ? waiting : going),
      isPaused: this.fills === 'paused',
    };
  }

  fill(paused: boolean): null {
    if (this.fills !== undefined) this.fills = paused ? 'paused' : 'going';
    return null;
  }
}
