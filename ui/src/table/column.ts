import type { ReactNode } from 'react';

/** What a column can be filtered by. */
export type Filterable<R> =
  /** One of a few values; `of` gives the values that a row has, `word` says one of them. With `values` these are offered, whatever rows are here. */
  | {
      kind: 'choice';
      of: (row: R) => readonly string[];
      word: (value: string) => string;
      values?: readonly string[];
    }
  /** Plain decimals, compared exactly; a row without one passes no range. */
  | { kind: 'amount'; of: (row: R) => string | null }
  /** Days as `2026-11-30`, in the zone in which they are shown. */
  | { kind: 'day'; of: (row: R) => string }
  /** Any part of a text, whatever its case. */
  | { kind: 'text'; of: (row: R) => string };

/** A column of a table. */
export interface Column<R> {
  id: string;
  head: string;
  /** CSS grid track, in rem so that it follows the zoom. */
  track: string;
  /** Right-aligned head, for amounts and counts. */
  end?: boolean;
  /** The head leaves room for an asset that stands in the same cell. */
  headPad?: boolean;
  cell: (row: R) => ReactNode;
  /** What copying gives: plain and exact. A column without one is left out. */
  text?: (row: R) => string;
  /** Ascending order; a column without one cannot be sorted. */
  compare?: (a: R, b: R) => number;
  /** A column without one cannot be filtered. */
  filter?: Filterable<R>;
}
