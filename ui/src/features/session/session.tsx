import { createContext, useContext } from 'react';
import type { Session } from '../../contract/types';

const SessionContext = createContext<Session | null>(null);

/** Everything below belongs to one signed-in person. */
export const SessionProvider = SessionContext;

/** Who works, in which program. */
export function useSession(): Session {
  const session = useContext(SessionContext);
  if (!session) throw new Error('no session above this component');
  return session;
}

/** Two letters for the square beside a name. */
export function initials(person: string): string {
  const words = person.trim().split(/\s+/);
  const first = words[0]?.[0] ?? '';
  const last = words.length > 1 ? (words.at(-1)?.[0] ?? '') : '';
  return (first + last).toUpperCase();
}
