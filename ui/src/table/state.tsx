import { createContext, type ReactNode, useContext, useMemo, useRef, useState } from 'react';
import type { Filter, TableSize } from '../contract/types';
import { useSession } from '../features/session/session';
import { t } from '../kit/say';
import type { Column } from './column';
import { filterRows, hiddenAlone } from './filter';
import { arranged, type Layout } from './layout';
import { type Arrangement, readViews, type View, writeViews } from './view';

/** A table's columns, and what a person made of them. */
export interface Arranged<R> {
  /** Name of the table, for those who do not see it. */
  label: string;
  /** Every column, in the table's own order. */
  columns: readonly Column<R>[];
  /** The columns that are shown, in the person's order. */
  shown: Column<R>[];
  arrangement: Arrangement;
  change: (part: Partial<Arrangement>) => void;
  /** The table's own layout. */
  plain: Layout;
  /** The view that was chosen last, and whether something was changed since. */
  view: { name: string; changed: boolean };
  /** Views that come with the table, the whole of it first. */
  presets: View[];
  /** The person's own. */
  own: View[];
  choose: (view: View) => void;
  save: (name: string) => void;
  forget: (name: string) => void;
}

/** A table that is here with all its rows. */
export interface RowTable<R> extends Arranged<R> {
  paged: false;
  /** Every row. */
  all: readonly R[];
  /** The rows that pass the filters, in the order of the data. */
  rows: R[];
  /** How many rows each filter alone hides. */
  hidden: number[];
}

/** A table of which only the part in sight is here, filtered and ordered where it lies. */
export interface PagedTable<R> extends Arranged<R> {
  paged: true;
  size: TableSize;
  /** A row by its place; none while it is on its way. */
  at: (index: number) => R | undefined;
  /** Told which places are in sight. */
  want: (first: number, last: number) => void;
}

export type TableState<R> = RowTable<R> | PagedTable<R>;

/** How a table is set up. */
export interface TableOptions<R> {
  /** Names the table among the person's views; never shown. */
  name: string;
  /** Which one, where several tables share their views: how one was left says nothing of another. */
  of?: string;
  label: string;
  /** What the view without filters is called. */
  whole?: string;
  columns: readonly Column<R>[];
  /** Columns that are there to be filtered by and can be shown, but are not at first. */
  aside?: string[];
  /** Views beside the whole. */
  presets?: Preset[];
}

interface Kept {
  view: string;
  arrangement: Arrangement;
}

const KeptContext = createContext<Map<string, Kept> | null>(null);

/** Remembers how each table was left while its person is signed in. */
export function KeepTables(props: { children: ReactNode }) {
  const kept = useRef(new Map<string, Kept>());
  return <KeptContext value={kept.current}>{props.children}</KeptContext>;
}

/** A view that comes with a table. */
export interface Preset {
  name: string;
  filters: Filter[];
}

function same(a: Arrangement, b: Arrangement): boolean {
  const of = ({ filters, sort, layout }: Arrangement) => JSON.stringify([filters, sort, layout]);
  return of(a) === of(b);
}

/** What a person made of a table: filters, order, columns and views. */
export function useArranged<R extends object>(options: TableOptions<R>): Arranged<R> {
  const { name, label, columns } = options;
  const { login } = useSession();
  const kept = useContext(KeptContext);
  const key = `${name} ${options.of ?? ''}`;
  const whole = options.whole ?? t('Everything');
  const plain: Layout = { order: [], hidden: options.aside ?? [], widths: {} };
  const start: Arrangement = { filters: [], sort: null, layout: plain };
  const presets: View[] = [{ name: whole, filters: [] }, ...(options.presets ?? [])].map((one) => ({
    ...start,
    ...one,
  }));
  const [own, setOwn] = useState(() => readViews(login, name));
  const [now, setNow] = useState<Kept>(() => kept?.get(key) ?? { view: whole, arrangement: start });
  const { arrangement } = now;
  const keep = (next: Kept) => {
    kept?.set(key, next);
    setNow(next);
  };
  const store = (views: View[]) => {
    writeViews(login, name, views);
    setOwn(views);
  };
  const base = [...presets, ...own].find((view) => view.name === now.view);
  const shown = useMemo(() => arranged(columns, arrangement.layout), [columns, arrangement.layout]);
  return {
    label,
    columns,
    shown,
    arrangement,
    plain,
    change: (part) => keep({ view: now.view, arrangement: { ...arrangement, ...part } }),
    view: { name: base?.name ?? whole, changed: !same(arrangement, base ?? start) },
    presets,
    own,
    choose: ({ name: view, ...rest }) => keep({ view, arrangement: rest }),
    save: (view) => {
      store([...own.filter((one) => one.name !== view), { name: view, ...arrangement }]);
      keep({ view, arrangement });
    },
    forget: (view) => {
      store(own.filter((one) => one.name !== view));
      if (now.view === view) keep({ view: whole, arrangement });
    },
  };
}

/** A table over rows that are all here. */
export function useTableState<R extends object>(
  options: TableOptions<R> & { rows: readonly R[] },
): RowTable<R> {
  const { rows, columns } = options;
  const table = useArranged(options);
  const { filters } = table.arrangement;
  const passed = useMemo(() => filterRows(rows, columns, filters), [rows, columns, filters]);
  const hidden = useMemo(
    () => (passed.length === 0 ? hiddenAlone(rows, columns, filters) : []),
    [rows, columns, filters, passed],
  );
  return { ...table, paged: false, all: rows, rows: passed, hidden };
}
