import type { RowSelectionState } from '@tanstack/react-table';
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, type ReactNode, memo, useEffect, useRef, useState } from 'react';
import { t } from '../kit/say';
import { count as words } from '../kit/time';
import { usePrefs } from '../kit/prefs';
import { everything, NothingPasses } from './bar';
import { copied, isCopy } from './copied';
import { Head } from './head';
import { type GridModel, type Item, useGridModel } from './model';
import type { TableState } from './state';

/** A row that stands for many: a group, or a total. */
export interface Sum {
  label: ReactNode;
  /** By the id of their column. */
  cells: Record<string, ReactNode>;
}

export interface GridProps<R> {
  table: TableState<R>;
  keyOf: (row: R) => string;
  /** Height of a row in rem: 2, or 2.5 with two lines. */
  rowRem?: number;
  groupOf?: (row: R) => string;
  /** What stands above the rows of a group. */
  groupSum?: (rows: R[]) => Sum;
  /** With it, rows can be chosen. */
  selection?: {
    selected: RowSelectionState;
    onChange: (selected: RowSelectionState) => void;
    labelOf: (row: R) => string;
  };
  onOpen?: (row: R) => void;
  /** Told when a row takes the focus, for tables that show the row beside themselves. */
  onFocusRow?: (row: R) => void;
  /** Marks the row that is shown beside the table. */
  currentKey?: string | null;
  /** Totals of the rows that are shown, one per asset. */
  totals?: Sum[];
  /** Shown when there are no rows at all. */
  empty?: ReactNode;
  className?: string;
}

/** No browser draws what is longer than this, in pixels. */
const REACH_PX = 30_000_000;
/** Rows beyond which only those in sight are in the page. */
const VIRTUAL_FROM = 200;
/** Nothing chosen, always the same object. */
const NONE: RowSelectionState = {};
const CHECK_TRACK = '2.25rem';

const CELL = 'flex min-w-0 items-center px-2 first:pl-4 last:pr-4';

function HeadCheck<R>(props: { grid: GridProps<R>; model: GridModel<R> }) {
  const { grid, model } = props;
  if (!grid.selection) return null;
  const chosen = model.rows.filter((row) => model.selected[grid.keyOf(row)]).length;
  const all = chosen > 0 && chosen === model.rows.length;
  return (
    <div role="columnheader" className="flex">
      <CheckBox
        label={t('Select all rows')}
        checked={all}
        mixed={chosen > 0 && !all}
        onChange={() =>
          grid.selection?.onChange(
            all ? {} : Object.fromEntries(model.rows.map((row) => [grid.keyOf(row), true])),
          )
        }
      />
    </div>
  );
}

/** The cells of a row that stands for many: its label in the first free column that has room for words. */
function SumCells<R>(props: { table: TableState<R>; sum: Sum }) {
  const { shown } = props.table;
  const { label, cells } = props.sum;
  const free = shown.filter((column) => !(column.id in cells));
  const place = free.find((column) => !column.end) ?? free[0];
  return shown.map((column) => (
    <div
      role="gridcell"
      key={column.id}
      className={`${CELL} ${column.end ? 'justify-end' : ''} ${column === place ? 'overflow-visible whitespace-nowrap' : ''}`}
    >
      {column === place ? label : cells[column.id]}
    </div>
  ));
}

/** A checkbox that owns its whole cell. */
function CheckBox(props: {
  label: string;
  checked: boolean;
  mixed?: boolean;
  onChange: () => void;
  tabIndex?: number;
}) {
  return (
    <label className="flex min-h-6 flex-1 cursor-pointer items-center justify-center">
      <input
        type="checkbox"
        aria-label={props.label}
        checked={props.checked}
        tabIndex={props.tabIndex}
        ref={(element) => {
          if (element) element.indeterminate = props.mixed ?? false;
        }}
        onChange={props.onChange}
        className="check"
      />
    </label>
  );
}

interface RowProps<R> {
  grid: GridProps<R>;
  model: GridModel<R>;
  item: Item<R>;
  index: number;
  active: boolean;
  onActive: (index: number) => void;
}

function GroupRowDrawn<R>({ grid, item, index, active, onActive }: RowProps<R>) {
  if (item.kind === 'row') return null;
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      data-index={index}
      tabIndex={active ? 0 : -1}
      onFocus={() => onActive(index)}
      className="col-span-full grid min-h-8 grid-cols-subgrid border-b border-line bg-sunk -outline-offset-2 focus:outline-2 focus:outline-accent"
    >
      {grid.selection ? <div role="gridcell" /> : null}
      {grid.groupSum ? <SumCells table={grid.table} sum={grid.groupSum(item.rows)} /> : null}
    </div>
  );
}

function DataRowDrawn<R>({ grid, model, item, index, active, onActive }: RowProps<R>) {
  if (item.kind === 'group') return null;
  const { row, key } = item;
  const chosen = Boolean(model.selected[key]);
  const current = grid.currentKey === key;
  const toggle = () => {
    const next = { ...model.selected };
    if (chosen) delete next[key];
    else next[key] = true;
    grid.selection?.onChange(next);
  };
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      aria-selected={grid.selection ? chosen : grid.currentKey === undefined ? undefined : current}
      data-index={index}
      tabIndex={active ? 0 : -1}
      onFocus={() => {
        onActive(index);
        grid.onFocusRow?.(row);
      }}
      onDoubleClick={() => grid.onOpen?.(row)}
      onKeyDown={(event) => {
        if (event.target !== event.currentTarget) return;
        if (event.key === ' ' && grid.selection) {
          event.preventDefault();
          toggle();
        }
        if (event.key === 'Enter' && grid.onOpen) {
          event.preventDefault();
          grid.onOpen(row);
        }
      }}
      style={{ minHeight: `${grid.rowRem ?? 2}rem` }}
      className={`col-span-full grid grid-cols-subgrid border-b border-line -outline-offset-2 focus:outline-2 focus:outline-accent ${
        chosen || current ? 'bg-selected shadow-[inset_3px_0_0_var(--accent)]' : 'hover:bg-sunk'
      }`}
    >
      {grid.selection ? (
        <div role="gridcell" className="flex">
          <CheckBox
            label={grid.selection.labelOf(row)}
            checked={chosen}
            onChange={toggle}
            tabIndex={active ? 0 : -1}
          />
        </div>
      ) : null}
      {grid.table.shown.map((column) => (
        <div
          role="gridcell"
          key={column.id}
          className={`${CELL} ${column.end ? 'justify-end' : ''}`}
        >
          {column.cell(row)}
        </div>
      ))}
    </div>
  );
}

// A row is drawn again only when something about it changes, not with every step of a scroll.
const GroupRow = memo(GroupRowDrawn) as typeof GroupRowDrawn;
const DataRow = memo(DataRowDrawn) as typeof DataRowDrawn;

/** A row that is being read. */
function OnItsWay(props: { index: number; rem: number }) {
  return (
    <div
      role="row"
      aria-rowindex={props.index + 2}
      aria-busy="true"
      style={{ minHeight: `${props.rem}rem` }}
      className="col-span-full border-b border-line"
    >
      <div role="gridcell" className="px-4 text-ink3">
        …
      </div>
    </div>
  );
}

function Totals<R>({ grid }: { grid: GridProps<R> }) {
  if (!grid.totals?.length) return null;
  return (
    <div
      role="rowgroup"
      className="totals sticky bottom-0 z-10 col-span-full grid grid-cols-subgrid bg-surface font-semibold"
    >
      {grid.totals.map((sum, row) => (
        <div role="row" key={row} className="col-span-full grid min-h-7 grid-cols-subgrid">
          {grid.selection ? <div role="gridcell" /> : null}
          <SumCells table={grid.table} sum={sum} />
        </div>
      ))}
    </div>
  );
}

const STEPS: Record<string, (at: number, last: number) => number> = {
  ArrowDown: (at, last) => Math.min(last, at + 1),
  ArrowUp: (at) => Math.max(0, at - 1),
  PageDown: (at, last) => Math.min(last, at + 12),
  PageUp: (at) => Math.max(0, at - 12),
  Home: () => 0,
  End: (_, last) => last,
};

/** A table over any number of rows: arrows move, Enter opens, Space chooses. */
export function Grid<R extends object>(props: GridProps<R>) {
  const { table, keyOf, groupOf } = props;
  const { zoom } = usePrefs();
  const scroller = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState(0);
  const wanted = useRef<number | null>(null);
  const model = useGridModel({
    table,
    keyOf,
    groupOf,
    selected: props.selection?.selected ?? NONE,
  });
  const rowPx = (props.rowRem ?? 2) * 16 * (zoom / 100);
  const count = Math.min(model.count, Math.floor(REACH_PX / rowPx));
  const virtual = count > VIRTUAL_FROM;
  const virtualizer = useVirtualizer({
    count: virtual ? count : 0,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    overscan: 12,
  });
  const drawn = virtual
    ? virtualizer.getVirtualItems()
    : Array.from({ length: count }, (_, index) => ({ index, start: 0, end: 0 }));
  const above = virtual ? (drawn[0]?.start ?? 0) : 0;
  const below = virtual ? virtualizer.getTotalSize() - (drawn.at(-1)?.end ?? 0) : 0;
  const last = Math.max(0, count - 1);
  const at = Math.min(active, last);

  const want = table.paged ? table.want : null;
  const from = drawn[0]?.index ?? 0;
  const to = drawn.at(-1)?.index ?? 0;
  useEffect(() => want?.(from, to), [want, from, to]);

  useEffect(() => {
    if (wanted.current === null) return;
    const row = scroller.current?.querySelector<HTMLElement>(`[data-index="${wanted.current}"]`);
    if (row) {
      row.focus();
      wanted.current = null;
    }
  });

  const copy = () => {
    const chosen = model.rows.filter((row) => model.selected[keyOf(row)]);
    const item = model.item(at);
    const focused = item?.kind === 'row' ? [item.row] : [];
    void navigator.clipboard.writeText(copied(table.shown, chosen.length > 0 ? chosen : focused));
  };

  const move = (event: KeyboardEvent) => {
    const step = STEPS[event.key];
    const target = event.target as HTMLElement;
    if (target.getAttribute('role') === 'row' && isCopy(event)) {
      event.preventDefault();
      copy();
      return;
    }
    if (
      !step ||
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      target.getAttribute('role') !== 'row'
    )
      return;
    event.preventDefault();
    const next = step(at, last);
    wanted.current = next;
    if (virtual) virtualizer.scrollToIndex(next);
    setActive(next);
  };

  const tracks = [
    ...(props.selection ? [CHECK_TRACK] : []),
    ...table.shown.map((column) => column.track),
  ];
  return (
    <div ref={scroller} className={`min-h-0 overflow-auto ${props.className ?? ''}`}>
      <div
        role="grid"
        aria-label={table.label}
        aria-rowcount={model.count + 1}
        aria-multiselectable={props.selection ? true : undefined}
        onKeyDown={move}
        style={{ gridTemplateColumns: tracks.join(' ') }}
        className="grid min-w-fit content-start"
      >
        <Head table={table} before={<HeadCheck grid={props} model={model} />} />
        {above > 0 ? <div role="none" className="col-span-full" style={{ height: above }} /> : null}
        {drawn.map(({ index }) => {
          const item = model.item(index);
          if (!item)
            return <OnItsWay key={`on its way ${index}`} index={index} rem={props.rowRem ?? 2} />;
          const shared = {
            grid: props,
            model,
            item,
            index,
            active: index === at,
            onActive: setActive,
          };
          return item.kind === 'group' ? (
            <GroupRow key={item.key} {...shared} />
          ) : (
            <DataRow key={item.key} {...shared} />
          );
        })}
        {below > 0 ? <div role="none" className="col-span-full" style={{ height: below }} /> : null}
        {count < model.count ? (
          <p role="status" className="col-span-full px-4 py-2 text-ink2">
            {t('These are the first {count} rows. A filter or another order shows the others.', {
              count: words(count),
            })}
          </p>
        ) : null}
        <Totals grid={props} />
      </div>
      {model.count > 0 ? null : everything(table) === 0 ? (
        props.empty
      ) : (
        <NothingPasses table={table} />
      )}
    </div>
  );
}
