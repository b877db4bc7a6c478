/** Which columns stand where and how wide: what a person changed of a table's own layout. */
import type { Column } from './column';

export interface Layout {
  /** Ids in the person's order; columns that are not named follow in their own. */
  order: string[];
  hidden: string[];
  /** Width in rem of columns that a person made narrower or wider. */
  widths: Record<string, number>;
}

/** A column is never narrower, in rem: its head and a few digits fit. */
export const NARROWEST = 3;
/** Nor wider: something else has to be seen beside it. */
export const WIDEST = 48;
/** One step by the keyboard, in rem. */
export const STEP = 1;

/** All columns in the order of the layout, hidden ones too. */
export function ordered<R>(columns: readonly Column<R>[], layout: Layout): Column<R>[] {
  const named = layout.order.flatMap((id) => columns.find((column) => column.id === id) ?? []);
  return [...named, ...columns.filter((column) => !layout.order.includes(column.id))];
}

/** The columns that are shown, in order, with their widths. */
export function arranged<R>(columns: readonly Column<R>[], layout: Layout): Column<R>[] {
  return ordered(columns, layout)
    .filter((column) => !layout.hidden.includes(column.id))
    .map((column) => {
      const width = layout.widths[column.id];
      return width === undefined ? column : { ...column, track: `${width}rem` };
    });
}

/** The column one place to the left (-1) or right (1) among those that are shown. */
export function moved<R>(
  columns: readonly Column<R>[],
  layout: Layout,
  id: string,
  by: -1 | 1,
): Layout {
  const shown = arranged(columns, layout).map((column) => column.id);
  const neighbour = shown[shown.indexOf(id) + by];
  if (!shown.includes(id) || neighbour === undefined) return layout;
  const order = ordered(columns, layout)
    .map((column) => column.id)
    .filter((other) => other !== id);
  order.splice(order.indexOf(neighbour) + (by === 1 ? 1 : 0), 0, id);
  return { ...layout, order };
}

/** Hides a column or shows it again; the last one stays. */
export function toggled<R>(columns: readonly Column<R>[], layout: Layout, id: string): Layout {
  if (layout.hidden.includes(id)) {
    return { ...layout, hidden: layout.hidden.filter((other) => other !== id) };
  }
  if (arranged(columns, layout).length <= 1) return layout;
  return { ...layout, hidden: [...layout.hidden, id] };
}

/** A column as wide as asked, within bounds. */
export function widened(layout: Layout, id: string, rem: number): Layout {
  const width = Math.min(WIDEST, Math.max(NARROWEST, Math.round(rem * 4) / 4));
  return { ...layout, widths: { ...layout.widths, [id]: width } };
}
