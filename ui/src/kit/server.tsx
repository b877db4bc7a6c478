import { createContext, useContext } from 'react';

const ServerContext = createContext<string | null>(null);

/** Below it, buttons that need the shared database are off for the reason given; none while it answers. */
export const ServerProvider = ServerContext;

/** Why what needs the shared database cannot be done now; null while it answers. */
export function useServerOff(): string | null {
  return useContext(ServerContext);
}
