/** Filters of a table: pure, so that the same pills can be answered here or by a database. */
import type { Filter, FilterTest as Test } from '../contract/types';
import { compareDecimals, inWords, parseDecimal } from '../kit/decimal';
import { dayWrong } from '../kit/day';
import { t } from '../kit/say';
import type { Column, Filterable } from './column';

export type Kind = Filterable<never>['kind'];

const TESTS: Record<Kind, readonly Test[]> = {
  choice: ['is', 'isNot'],
  amount: ['atLeast', 'atMost', 'is', 'isNot'],
  day: ['from', 'until', 'is', 'isNot'],
  text: ['has', 'hasNot'],
};

const NOT: readonly Test[] = ['isNot', 'hasNot'];

/** The tests of a kind of column, the usual one first. */
export function testsOf(kind: Kind): readonly Test[] {
  return TESTS[kind];
}

/** Whether a test keeps what it does not find. */
export function isNegative(test: Test): boolean {
  return NOT.includes(test);
}

/** A test in words, as it stands between the column and the value. */
export function testWord(test: Test): string {
  const words: Record<Test, string> = {
    is: t('is'),
    isNot: t('is not'),
    has: t('contains'),
    hasNot: t('does not contain'),
    atLeast: t('at least'),
    atMost: t('at most'),
    from: t('from'),
    until: t('until'),
  };
  return words[test];
}

/** What is wrong with a value that was typed, and what to do; nothing when it is right. */
export function valueWrong(kind: Kind, value: string): string | undefined {
  if (kind === 'amount') {
    return parseDecimal(value) ? undefined : t('Write a plain number, like 1250.5');
  }
  if (kind === 'day') return dayWrong(value);
  return value.trim() === '' ? t('Say what to look for') : undefined;
}

function finds<R>(filterable: Filterable<R>, test: Test, value: string, row: R): boolean {
  switch (filterable.kind) {
    case 'choice':
      return filterable.of(row).includes(value);
    case 'text':
      return filterable.of(row).toLowerCase().includes(value.trim().toLowerCase());
    case 'day': {
      const day = filterable.of(row);
      if (test === 'from') return day >= value;
      if (test === 'until') return day <= value;
      return day === value;
    }
    case 'amount': {
      const amount = filterable.of(row);
      if (amount === null) return false;
      const order = compareDecimals(amount, value);
      if (test === 'atLeast') return order >= 0;
      if (test === 'atMost') return order <= 0;
      return order === 0;
    }
  }
}

/** Whether a row passes a filter; a filter of a column that is not there passes everything. */
export function passes<R>(columns: readonly Column<R>[], filter: Filter, row: R): boolean {
  const filterable = columns.find((column) => column.id === filter.column)?.filter;
  if (!filterable) return true;
  const found = filter.values.some((value) => finds(filterable, filter.test, value, row));
  return isNegative(filter.test) ? !found : found;
}

/** The rows that pass all filters. */
export function filterRows<R>(
  rows: readonly R[],
  columns: readonly Column<R>[],
  filters: readonly Filter[],
): R[] {
  return rows.filter((row) => filters.every((filter) => passes(columns, filter, row)));
}

/** How many rows each filter alone hides: those that pass all others. */
export function hiddenAlone<R>(
  rows: readonly R[],
  columns: readonly Column<R>[],
  filters: readonly Filter[],
): number[] {
  return filters.map((filter) => {
    const others = filters.filter((other) => other !== filter);
    return filterRows(rows, columns, others).filter((row) => !passes(columns, filter, row)).length;
  });
}

/** The values of a choice that occur, with their rows, most frequent first. */
export function choicesOf<R>(
  rows: readonly R[],
  filterable: Extract<Filterable<R>, { kind: 'choice' }>,
): { value: string; word: string; rows: number }[] {
  const counts = new Map<string, number>();
  for (const row of rows) {
    for (const value of new Set(filterable.of(row))) {
      counts.set(value, (counts.get(value) ?? 0) + 1);
    }
  }
  return [...counts]
    .map(([value, found]) => ({ value, word: filterable.word(value), rows: found }))
    .sort((a, b) => b.rows - a.rows || a.word.localeCompare(b.word));
}

/** The values of a filter in words: `Draft or Approved`, `1,250.50`. */
export function valuesInWords<R>(column: Column<R>, filter: Filter): string {
  const { filter: filterable } = column;
  const words = filter.values.map((value) => {
    if (filterable?.kind === 'choice') return filterable.word(value);
    return filterable?.kind === 'amount' ? inWords(value, 0) : value;
  });
  return new Intl.ListFormat('en', { type: 'disjunction' }).format(words);
}

/** A filter as one reads it: `Amount at least 1,000`. */
export function filterInWords<R>(column: Column<R>, filter: Filter): string {
  return `${column.head} ${testWord(filter.test)} ${valuesInWords(column, filter)}`;
}
