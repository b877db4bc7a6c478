import type { KeyboardEvent } from 'react';
import { parseDecimal } from '../kit/decimal';
import type { Column } from './column';

/** Whether the keys copy, and no text is marked that they would copy instead. */
export function isCopy(event: KeyboardEvent): boolean {
  return (
    event.key.toLowerCase() === 'c' &&
    (event.ctrlKey || event.metaKey) &&
    !event.altKey &&
    !event.shiftKey &&
    document.getSelection()?.isCollapsed !== false
  );
}

/** One cell: no tab or line end that would shift the others, and nothing that a spreadsheet would run. */
function cell(text: string): string {
  const plain = text.replace(/\s+/g, ' ').trim();
  return /^[=+\-@]/.test(plain) && !parseDecimal(plain) ? `'${plain}` : plain;
}

/** Rows as a spreadsheet takes them: a line of heads, then a line per row, cells parted by tabs. */
export function copied<R>(columns: readonly Column<R>[], rows: readonly R[]): string {
  const told = columns.filter((column) => column.text);
  const lines = [
    told.map((column) => cell(column.head)),
    ...rows.map((row) => told.map((column) => cell(column.text?.(row) ?? ''))),
  ];
  return lines.map((line) => line.join('\t')).join('\n');
}
