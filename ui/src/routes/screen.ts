import { useLayoutEffect, useSyncExternalStore } from 'react';
import type { FreezeTarget } from '../features/freeze/dialog';

/** Where a crumb leads; the last one leads nowhere. */
export interface Crumb {
  label: string;
  to?: string;
}

/** What the open screen tells the window around it. */
export interface ScreenInfo {
  crumbs: Crumb[];
  freeze: FreezeTarget | null;
}

let screen: ScreenInfo = { crumbs: [], freeze: null };
const listeners = new Set<() => void>();

/** Names the open screen in the top bar and the title of the window. */
export function useScreen(crumbs: Crumb[], freeze: FreezeTarget | null = null): void {
  const key = JSON.stringify([crumbs, freeze]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says all of what changes
  useLayoutEffect(() => {
    screen = { crumbs, freeze };
    const last = crumbs.at(-1)?.label;
    document.title = last ? `${last} · Countersign` : 'Countersign';
    for (const listener of listeners) listener();
  }, [key]);
}

export function useScreenInfo(): ScreenInfo {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => screen,
  );
}
