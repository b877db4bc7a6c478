import { createContext, type ReactNode, useContext, useMemo, useRef, useState } from 'react';
import { useSession } from '../features/session/session';
import { t } from '../kit/say';
import type { Column } from './column';
import { type Filter, filterRows, hiddenAlone } from './filter';
import { arranged, type Layout } from './layout';
import { type Arrangement, readViews, type View, writeViews } from './view';

/** A table: its rows, its columns, and what a person made of them. */
export interface TableState<R> {
  /** Name of the table, for those who do not see it. */
  label: string;
  /** Every row. */
  all: readonly R[];
  /** The rows that pass the filters, in the order of the data. */
  rows: R[];
  /** Every column, in the table's own order. */
  columns: readonly Column<R>[];
  /** The columns that are shown, in the person's order. */
  shown: Column<R>[];
  arrangement: Arrangement;
  change: (part: Partial<Arrangement>) => void;
  /** The table's own layout. */
  plain: Layout;
  /** How many rows each filter alone hides. */
  hidden: number[];
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
export function useTableState<R extends object>(options: {
  /** Names the table among the person's views; never shown. */
  name: string;
  /** Which one, where several tables share their views: how one was left says nothing of another. */
  of?: string;
  label: string;
  /** What the view without filters is called. */
  whole?: string;
  rows: readonly R[];
  columns: readonly Column<R>[];
  /** Columns that are there to be filtered by and can be shown, but are not at first. */
  aside?: string[];
  /** Views beside the whole. */
  presets?: Preset[];
}): TableState<R> {
  const { name, label, rows, columns } = options;
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
  const views = [...presets, ...own];
  const base = views.find((view) => view.name === now.view);
  const { filters, layout } = arrangement;
  const passed = useMemo(() => filterRows(rows, columns, filters), [rows, columns, filters]);
  const hidden = useMemo(
    () => (passed.length === 0 ? hiddenAlone(rows, columns, filters) : []),
    [rows, columns, filters, passed],
  );
  const shown = useMemo(() => arranged(columns, layout), [columns, layout]);
  return {
    label,
    all: rows,
    rows: passed,
    columns,
    shown,
    arrangement,
    plain,
    change: (part) => keep({ view: now.view, arrangement: { ...arrangement, ...part } }),
    hidden,
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
