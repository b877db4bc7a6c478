import { ArrowDownIcon, ArrowUpIcon, CaretDownIcon } from '@phosphor-icons/react';
import { type KeyboardEvent, type PointerEvent, type ReactNode, useRef } from 'react';
import { type Act, MenuButton } from '../kit/menu';
import { usePrefs } from '../kit/prefs';
import { t } from '../kit/say';
import type { Column } from './column';
import { moved, STEP, toggled, widened } from './layout';
import type { TableState } from './state';

/** Width in rem of the cell that an element stands in. */
function remOf(element: Element | null, zoom: number): number {
  const cell = element?.closest('[role="columnheader"]');
  return cell ? cell.getBoundingClientRect().width / (16 * (zoom / 100)) : 8;
}

function actsOf<R>(
  table: TableState<R>,
  column: Column<R>,
  width: () => number,
): { label: string; acts: Act[] }[] {
  const { change, arrangement, columns, shown } = table;
  const { layout, sort } = arrangement;
  const at = shown.findIndex((one) => one.id === column.id);
  const sorted = sort?.column === column.id ? sort : null;
  const order: Act[] = column.compare
    ? [
        {
          id: 'up',
          label: t('Smallest first'),
          on: sorted?.descending === false,
          run: () => change({ sort: { column: column.id, descending: false } }),
        },
        {
          id: 'down',
          label: t('Largest first'),
          on: sorted?.descending === true,
          run: () => change({ sort: { column: column.id, descending: true } }),
        },
        { id: 'none', label: t('In no order'), off: !sorted, run: () => change({ sort: null }) },
      ]
    : [];
  const place: Act[] = [
    {
      id: 'left',
      label: t('Move left'),
      off: at <= 0,
      run: () => change({ layout: moved(columns, layout, column.id, -1) }),
    },
    {
      id: 'right',
      label: t('Move right'),
      off: at >= shown.length - 1,
      run: () => change({ layout: moved(columns, layout, column.id, 1) }),
    },
    {
      id: 'narrower',
      label: t('Narrower'),
      run: () => change({ layout: widened(layout, column.id, width() - STEP) }),
    },
    {
      id: 'wider',
      label: t('Wider'),
      run: () => change({ layout: widened(layout, column.id, width() + STEP) }),
    },
    {
      id: 'hide',
      label: t('Hide'),
      off: shown.length <= 1,
      run: () => change({ layout: toggled(columns, layout, column.id) }),
    },
  ];
  return [
    { label: t('Order'), acts: order },
    { label: t('Column'), acts: place },
  ];
}

/** Makes a column narrower or wider by the pointer; its menu does the same by the keyboard. */
function WidthHandle<R>(props: { table: TableState<R>; column: Column<R> }) {
  const { table, column } = props;
  const { zoom } = usePrefs();
  const from = useRef<{ x: number; rem: number } | null>(null);
  const drag = (event: PointerEvent) => {
    if (!from.current) return;
    const by = (event.clientX - from.current.x) / (16 * (zoom / 100));
    table.change({ layout: widened(table.arrangement.layout, column.id, from.current.rem + by) });
  };
  return (
    <span
      aria-hidden="true"
      className="absolute inset-y-0 right-0 w-1.5 cursor-col-resize touch-none hover:bg-line2"
      onPointerDown={(event) => {
        from.current = { x: event.clientX, rem: remOf(event.currentTarget, zoom) };
        event.currentTarget.setPointerCapture(event.pointerId);
      }}
      onPointerMove={drag}
      onPointerUp={() => {
        from.current = null;
      }}
    />
  );
}

function HeadCell<R>(props: { table: TableState<R>; column: Column<R>; first: boolean }) {
  const { table, column } = props;
  const { zoom } = usePrefs();
  const cell = useRef<HTMLDivElement>(null);
  const sort = table.arrangement.sort?.column === column.id ? table.arrangement.sort : null;
  const width = () => remOf(cell.current, zoom);
  const step = () => {
    if (!sort) table.change({ sort: { column: column.id, descending: false } });
    else if (!sort.descending) table.change({ sort: { column: column.id, descending: true } });
    else table.change({ sort: null });
  };
  return (
    <div
      ref={cell}
      role="columnheader"
      aria-sort={sort ? (sort.descending ? 'descending' : 'ascending') : undefined}
      className={`group/head relative flex min-w-0 items-center px-2 first:pl-4 last:pr-4 ${column.end ? 'justify-end' : ''} ${column.headPad ? 'pr-16' : ''}`}
    >
      {column.compare ? (
        <button
          type="button"
          tabIndex={props.first ? 0 : -1}
          className="-mx-1 inline-flex min-h-6 min-w-0 items-center gap-1 rounded-pill px-1 hover:text-ink"
          onClick={step}
        >
          <span className="truncate">{column.head}</span>
          {sort ? (
            sort.descending ? (
              <ArrowDownIcon size="0.75rem" className="shrink-0" />
            ) : (
              <ArrowUpIcon size="0.75rem" className="shrink-0" />
            )
          ) : null}
        </button>
      ) : (
        <span className="truncate">{column.head}</span>
      )}
      <span
        className={`absolute inset-y-0 flex items-center opacity-0 group-focus-within/head:opacity-100 group-hover/head:opacity-100 ${column.end ? 'left-0' : 'right-1.5'}`}
      >
        <MenuButton
          label={t('Column {head}', { head: column.head })}
          sections={actsOf(table, column, width)}
          byArrows={!props.first || Boolean(column.compare)}
          className="inline-flex size-6 items-center justify-center rounded-pill bg-sunk text-ink2 hover:bg-line"
        >
          <CaretDownIcon size="0.75rem" aria-hidden="true" />
        </MenuButton>
      </span>
      <WidthHandle table={table} column={column} />
    </div>
  );
}

/** One stop of the Tab key for the whole head; arrows go from button to button. */
function byArrows(event: KeyboardEvent<HTMLElement>) {
  if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
  const buttons = [...event.currentTarget.querySelectorAll<HTMLElement>('button')];
  const next =
    buttons[buttons.indexOf(event.target as HTMLElement) + (event.key === 'ArrowRight' ? 1 : -1)];
  if (next) {
    event.preventDefault();
    next.focus();
  }
}

/** The head of a table: order, place and width of its columns. */
export function Head<R>(props: { table: TableState<R>; before: ReactNode }) {
  return (
    <div
      role="row"
      aria-rowindex={1}
      onKeyDown={byArrows}
      className="sticky top-0 z-10 col-span-full grid min-h-7 grid-cols-subgrid border-b border-line2 bg-sunk text-small font-medium text-ink3"
    >
      {props.before}
      {props.table.shown.map((column, index) => (
        <HeadCell key={column.id} table={props.table} column={column} first={index === 0} />
      ))}
    </div>
  );
}
