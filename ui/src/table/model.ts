import {
  type ColumnDef,
  type RowSelectionState,
  type SortingState,
  createSortedRowModel,
  rowSelectionFeature,
  rowSortingFeature,
  tableFeatures,
  useTable,
} from '@tanstack/react-table';
import { useMemo } from 'react';
import type { TableState } from './state';

/** What is drawn under the head: group rows between their rows. */
export type Item<R> =
  | { kind: 'group'; key: string; rows: R[] }
  | { kind: 'row'; key: string; row: R };

export interface GridModel<R> {
  /** Rows and group rows, those not in sight too. */
  count: number;
  /** What is drawn at a place; nothing while its row is on its way. */
  item: (index: number) => Item<R> | undefined;
  selected: RowSelectionState;
  /** Rows that are here, in order. */
  rows: R[];
}

const features = tableFeatures({
  rowSelectionFeature,
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: {},
});

/** Always the same, so that nothing is ordered again. */
const NO_ROWS: never[] = [];

interface ModelOptions<R> {
  table: TableState<R>;
  keyOf: (row: R) => string;
  groupOf?: ((row: R) => string) | undefined;
  selected: RowSelectionState;
}

function grouped<R>(
  rows: R[],
  keyOf: (row: R) => string,
  groupOf: (row: R) => string,
  order: R[],
): Item<R>[] {
  const groups = new Map<string, R[]>();
  // Groups keep the order of the data, whatever their rows are sorted by.
  for (const row of order) if (!groups.has(groupOf(row))) groups.set(groupOf(row), []);
  for (const row of rows) groups.get(groupOf(row))?.push(row);
  return [...groups].flatMap(([key, members]) => [
    { kind: 'group' as const, key: `group ${key}`, rows: members },
    ...members.map((row) => ({ kind: 'row' as const, key: keyOf(row), row })),
  ]);
}

/** Order, groups and selection of a grid. */
export function useGridModel<R extends object>(options: ModelOptions<R>): GridModel<R> {
  const { keyOf, groupOf, selected } = options;
  const { table: state } = options;
  const { columns, arrangement } = state;
  const rows = state.paged ? NO_ROWS : state.rows;
  const { sort } = arrangement;
  const definitions = useMemo<ColumnDef<typeof features, R, unknown>[]>(
    () =>
      columns.map((column) => ({
        id: column.id,
        header: column.head,
        accessorFn: (row: R) => row,
        enableSorting: Boolean(column.compare),
        sortFn: (a: { original: R }, b: { original: R }) =>
          column.compare?.(a.original, b.original) ?? 0,
      })),
    [columns],
  );
  const sorting = useMemo<SortingState>(
    () =>
      sort && columns.some((column) => column.id === sort.column && column.compare)
        ? [{ id: sort.column, desc: sort.descending }]
        : [],
    [sort, columns],
  );
  const table = useTable({
    features,
    columns: definitions,
    data: rows as R[],
    getRowId: keyOf,
    state: { sorting, rowSelection: selected },
  });
  const model = table.getRowModel();
  // Scrolling draws again and again; the order and the groups change only with the data.
  const here = useMemo<GridModel<R>>(() => {
    const sorted = model.rows.map((row) => row.original);
    const items = groupOf
      ? grouped(sorted, keyOf, groupOf, rows as R[])
      : sorted.map((row) => ({ kind: 'row' as const, key: keyOf(row), row }));
    return { count: items.length, item: (index) => items[index], selected, rows: sorted };
  }, [model, rows, keyOf, groupOf, selected]);
  if (!state.paged) return here;
  return {
    count: state.size.shown,
    item: (index) => {
      const row = state.at(index);
      return row && { kind: 'row', key: keyOf(row), row };
    },
    selected,
    rows: [],
  };
}
