import { useSyncExternalStore } from 'react';

/** How the window looks on this machine; never anything about money. */
export interface Prefs {
  theme: 'system' | 'light' | 'dark';
  contrast: 'system' | 'more';
  /** Percent, 80 to 200. */
  zoom: number;
}

export const ZOOMS = [80, 90, 100, 110, 125, 150, 175, 200] as const;
const KEY = 'countersign.look';
const START: Prefs = { theme: 'system', contrast: 'system', zoom: 100 };

let current: Prefs = START;
const listeners = new Set<() => void>();

function asks(query: string): boolean {
  return typeof matchMedia === 'function' && matchMedia(query).matches;
}

function apply(): void {
  const root = document.documentElement;
  const dark =
    current.theme === 'dark' ||
    (current.theme === 'system' && asks('(prefers-color-scheme: dark)'));
  root.dataset.theme = dark ? 'dark' : 'light';
  if (current.contrast === 'more' || asks('(prefers-contrast: more)'))
    root.dataset.contrast = 'more';
  else delete root.dataset.contrast;
  root.style.setProperty('--zoom', String(current.zoom / 100));
}

function stored(): Prefs {
  try {
    const raw: unknown = JSON.parse(localStorage.getItem(KEY) ?? 'null');
    if (typeof raw !== 'object' || raw === null) return START;
    const found = raw as Partial<Prefs>;
    return {
      theme: found.theme === 'light' || found.theme === 'dark' ? found.theme : 'system',
      contrast: found.contrast === 'more' ? 'more' : 'system',
      zoom: ZOOMS.find((zoom) => zoom === found.zoom) ?? 100,
    };
  } catch {
    return START;
  }
}

/** Reads what was chosen before and follows the system from then on. */
export function startPrefs(): void {
  current = stored();
  apply();
  if (typeof matchMedia !== 'function') return;
  for (const query of ['(prefers-color-scheme: dark)', '(prefers-contrast: more)']) {
    matchMedia(query).addEventListener('change', apply);
  }
}

/** Changes and keeps some of it. */
export function setPrefs(change: Partial<Prefs>): void {
  current = { ...current, ...change };
  try {
    localStorage.setItem(KEY, JSON.stringify(current));
  } catch {
    // A window without storage still works; it forgets the choice when it closes.
  }
  apply();
  for (const listener of listeners) listener();
}

/** One step larger or smaller. */
export function stepZoom(direction: 1 | -1): void {
  const at = ZOOMS.findIndex((zoom) => zoom >= current.zoom);
  const next = ZOOMS[Math.min(ZOOMS.length - 1, Math.max(0, at + direction))];
  if (next !== undefined) setPrefs({ zoom: next });
}

/** The choices, for whoever draws by them. */
export function usePrefs(): Prefs {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => current,
  );
}
