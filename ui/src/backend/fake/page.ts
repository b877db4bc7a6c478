import type { TableQuery, TableSize } from '../../contract/types';
import type { Column } from '../../table/column';
import { filterRows } from '../../table/filter';

/** A part of made-up rows, filtered and ordered as the core would by the table's own columns. */
export function pageOf<R extends object>(
  all: readonly R[],
  columns: readonly Column<R>[],
  query: TableQuery,
): { size: TableSize; rows: R[] } {
  const rows = [...filterRows(all, columns, query.filters)];
  const { sort } = query;
  const compare = columns.find((column) => column.id === sort?.column)?.compare;
  if (sort && compare) rows.sort((a, b) => (sort.descending ? compare(b, a) : compare(a, b)));
  return {
    size: { shown: rows.length, all: all.length },
    rows: rows.slice(query.offset, query.offset + query.limit),
  };
}
