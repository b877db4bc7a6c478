/** Named views of a table: filters, order and columns, kept per person on this machine. */
import * as v from 'valibot';
import { t } from '../kit/say';
import type { Filter, Sort } from '../contract/types';
import type { Layout } from './layout';

/** What a table shows of its rows, and how. */
export interface Arrangement {
  filters: Filter[];
  sort: Sort | null;
  layout: Layout;
}

export interface View extends Arrangement {
  name: string;
}

/** Longest name of a view, in characters. */
export const NAME_MAX = 40;

const VIEWS = v.array(
  v.object({
    name: v.pipe(v.string(), v.minLength(1), v.maxLength(NAME_MAX)),
    filters: v.array(
      v.object({
        column: v.string(),
        test: v.picklist(['is', 'isNot', 'has', 'hasNot', 'atLeast', 'atMost', 'from', 'until']),
        values: v.array(v.string()),
      }),
    ),
    sort: v.nullable(v.object({ column: v.string(), descending: v.boolean() })),
    layout: v.object({
      order: v.array(v.string()),
      hidden: v.array(v.string()),
      widths: v.record(v.string(), v.number()),
    }),
  }),
);

function keyOf(login: string, table: string): string {
  return `countersign.views ${login} ${table}`;
}

/** The person's own views of a table; what cannot be read counts as none. */
export function readViews(login: string, table: string): View[] {
  try {
    const found = v.safeParse(VIEWS, JSON.parse(localStorage.getItem(keyOf(login, table)) ?? '[]'));
    return found.success ? found.output : [];
  } catch {
    return [];
  }
}

/** Keeps the person's views of a table. */
export function writeViews(login: string, table: string, views: View[]): void {
  try {
    localStorage.setItem(keyOf(login, table), JSON.stringify(views));
  } catch {
    // A window without storage still works; it forgets its views when it closes.
  }
}

/** What is wrong with a new name. */
export function nameWrong(name: string, taken: readonly string[]): string | undefined {
  const plain = name.trim();
  if (plain === '') return t('Give it a name');
  if (plain.length > NAME_MAX) return t('{max} characters at the most', { max: NAME_MAX });
  if (taken.includes(plain)) return t('There is a view of that name');
  return undefined;
}
