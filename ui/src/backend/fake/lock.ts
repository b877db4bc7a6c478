/** What locks the made-up console. */
import type { Session } from '../../contract/types';
import { PEOPLE } from './people';

export class FakeLock {
  /** Profile of whoever is locked out. */
  locked: string | null = null;
  private movedAt = Date.now();

  constructor(private readonly idleSecs = 300) {}

  moved(): void {
    this.movedAt = Date.now();
  }

  leftMs(): number {
    return Math.max(0, this.movedAt + this.idleSecs * 1_000 - Date.now());
  }

  lock(session: Session): void {
    this.locked = PEOPLE.find((one) => one.session.person === session.person)?.profile.id ?? null;
  }

  open(): void {
    this.locked = null;
    this.moved();
  }
}
