import { useEffect, useSyncExternalStore } from 'react';
import type { Money } from '../contract/types';
import { addDecimals } from '../kit/decimal';

/** What is chosen on the screen, for the status bar: how many, and their sum per asset. */
export interface Chosen {
  count: number;
  sums: Money[];
}

let chosen: Chosen | null = null;
const listeners = new Set<() => void>();

function tell(next: Chosen | null): void {
  chosen = next;
  for (const listener of listeners) listener();
}

/** Exact sums per asset; different assets are never added. */
export function sumByAsset(money: readonly Money[]): Money[] {
  const sums = new Map<string, Money>();
  for (const { asset, amount } of money) {
    const key = asset.token ?? asset.symbol;
    const before = sums.get(key);
    sums.set(key, { asset, amount: before ? addDecimals(before.amount, amount) : amount });
  }
  return [...sums.values()];
}

/** Puts the sum of what is chosen into the status bar while the screen is open. */
export function useShowChosen(money: readonly Money[]): void {
  const key = money.map((one) => `${one.amount} ${one.asset.symbol}`).join('|');
  // biome-ignore lint/correctness/useExhaustiveDependencies: the key says all of what changes
  useEffect(() => {
    tell(money.length > 0 ? { count: money.length, sums: sumByAsset(money) } : null);
    return () => tell(null);
  }, [key]);
}

export function useChosen(): Chosen | null {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => chosen,
  );
}
