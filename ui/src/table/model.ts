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
  items: Item<R>[];
  selected: RowSelectionState;
  rows: R[];
}

const features = tableFeatures({
  rowSelectionFeature,
  rowSortingFeature,
  sortedRowModel: createSortedRowModel(),
  sortFns: {},
});

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
  const { rows, columns, arrangement } = options.table;
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
    data: rows,
    getRowId: keyOf,
    state: { sorting, rowSelection: selected },
  });
  const model = table.getRowModel();
  // Scrolling draws again and again; the order and the groups change only with the data.
  return useMemo(() => {
    const sorted = model.rows.map((row) => row.original);
    const items = groupOf
      ? grouped(sorted, keyOf, groupOf, rows)
      : sorted.map((row) => ({ kind: 'row' as const, key: keyOf(row), row }));
    return { items, selected, rows: sorted };
  }, [model, rows, keyOf, groupOf, selected]);
}
