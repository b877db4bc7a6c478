import { ColumnsIcon, PlusIcon, RowsIcon, CaretDownIcon, XIcon } from '@phosphor-icons/react';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import {
  Button as AriaButton,
  Dialog as PopDialog,
  DialogTrigger,
  Popover,
} from 'react-aria-components';
import { Button } from '../kit/button';
import { Dialog, DialogFoot } from '../kit/dialog';
import { TextField } from '../kit/field';
import { isTyping, somethingIsOpen } from '../kit/keys';
import { type Act, MenuButton } from '../kit/menu';
import { t } from '../kit/say';
import { Notice } from '../kit/states';
import type { Column } from './column';
import { FilterForm } from './filter-form';
import type { Filter } from '../contract/types';
import { filterInWords, isNegative, testWord, valuesInWords } from './filter';
import { ordered, toggled } from './layout';
import type { TableState } from './state';
import { nameWrong } from './view';

const POPOVER = 'appear w-80 max-w-[90vw] rounded-dialog border border-ctl bg-surface shadow-float';
const TOOL =
  'inline-flex min-h-7 items-center gap-1.5 rounded-ctl border border-ctl bg-surface px-2.5 font-medium hover:bg-sunk';

function without(filters: Filter[], filter: Filter): Filter[] {
  return filters.filter((other) => other !== filter);
}

function Pill<R>(props: { table: TableState<R>; column: Column<R>; filter: Filter }) {
  const { table, column, filter } = props;
  const [open, setOpen] = useState(false);
  const { filters } = table.arrangement;
  const not = isNegative(filter.test);
  return (
    <span
      className={`inline-flex min-h-6 max-w-full items-center rounded-pill border border-line2 ${not ? 'border-l-3 border-l-ink' : ''}`}
    >
      <DialogTrigger isOpen={open} onOpenChange={setOpen}>
        <AriaButton
          aria-label={filterInWords(column, filter)}
          className="inline-flex min-h-6 min-w-0 items-center gap-1 truncate pr-1 pl-2 hover:bg-sunk"
        >
          <span className="text-ink2">{column.head}</span>
          <span className={not ? 'font-semibold underline' : 'text-ink2'}>
            {testWord(filter.test)}
          </span>
          <strong className="truncate font-semibold">{valuesInWords(column, filter)}</strong>
        </AriaButton>
        <Popover className={POPOVER}>
          <PopDialog aria-label={t('Change the filter')} className="p-3 outline-none">
            <FilterForm
              table={table}
              column={column}
              filter={filter}
              onDone={(next) => {
                setOpen(false);
                table.change({ filters: filters.map((one) => (one === filter ? next : one)) });
              }}
            />
          </PopDialog>
        </Popover>
      </DialogTrigger>
      <AriaButton
        aria-label={t('Remove the filter {filter}', { filter: filterInWords(column, filter) })}
        onPress={() => table.change({ filters: without(filters, filter) })}
        className="inline-flex size-6 shrink-0 items-center justify-center rounded-pill text-ink3 hover:bg-line hover:text-ink"
      >
        <XIcon size="0.75rem" aria-hidden="true" />
      </AriaButton>
    </span>
  );
}

function AddFilter<R>(props: { table: TableState<R> }) {
  const { table } = props;
  const [open, setOpen] = useState(false);
  const [column, setColumn] = useState<Column<R> | null>(null);
  const show = (on: boolean) => {
    setOpen(on);
    setColumn(null);
  };
  const trigger = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const key = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || event.altKey) return;
      if (isTyping(event.target) || somethingIsOpen()) return;
      event.preventDefault();
      trigger.current?.focus();
      setOpen(true);
    };
    document.addEventListener('keydown', key);
    return () => document.removeEventListener('keydown', key);
  }, []);
  const choices = table.columns.filter((one) => one.filter);
  return (
    <DialogTrigger isOpen={open} onOpenChange={show}>
      <AriaButton
        ref={trigger}
        aria-keyshortcuts="/"
        className="inline-flex min-h-6 items-center gap-1.5 rounded-pill border border-dashed border-ctl px-2 text-ink2 hover:bg-sunk"
      >
        <PlusIcon size="0.75rem" aria-hidden="true" />
        {t('Filter')}
        <kbd className="rounded-pill border border-line2 px-1 font-mono text-cap text-ink3">/</kbd>
      </AriaButton>
      <Popover className={POPOVER}>
        <PopDialog aria-label={t('New filter')} className="p-3 outline-none">
          {column ? (
            <FilterForm
              table={table}
              column={column}
              filter={null}
              onDone={(filter) => {
                show(false);
                table.change({ filters: [...table.arrangement.filters, filter] });
              }}
            />
          ) : (
            <div className="flex flex-col">
              <p className="px-2 pb-1 text-small text-ink3">{t('Filter by')}</p>
              {choices.map((one, index) => (
                <Button
                  key={one.id}
                  look="quiet"
                  autoFocus={index === 0}
                  onPress={() => setColumn(one)}
                  className="justify-start"
                >
                  {one.head}
                </Button>
              ))}
            </div>
          )}
        </PopDialog>
      </Popover>
    </DialogTrigger>
  );
}

function SaveView<R>(props: { table: TableState<R>; onDone: () => void }) {
  const { table } = props;
  const [name, setName] = useState('');
  const taken = [...table.presets, ...table.own].map((view) => view.name);
  const wrong = nameWrong(name, taken);
  return (
    <form
      className="flex flex-col gap-2"
      onSubmit={(event) => {
        event.preventDefault();
        if (wrong) return;
        table.save(name.trim());
        props.onDone();
      }}
    >
      <TextField
        label={t('Name of the view')}
        value={name}
        onChange={setName}
        autoFocus
        hint={t('Filters, order and columns as they are now; for you, on this computer')}
      />
      <DialogFoot>
        <Button onPress={props.onDone}>{t('Cancel')}</Button>
        <Button type="submit" look="primary" off={wrong ?? null}>
          {t('Keep the view')}
        </Button>
      </DialogFoot>
    </form>
  );
}

/** Which view of the table, and what can be done with views. */
function Views<R>(props: { table: TableState<R> }) {
  const { table } = props;
  const [saving, setSaving] = useState(false);
  const { name, changed } = table.view;
  const own = table.own.some((view) => view.name === name);
  const list: Act[] = [...table.presets, ...table.own].map((view) => ({
    id: `view ${view.name}`,
    label: view.name,
    on: view.name === name,
    run: () => table.choose(view),
  }));
  const acts: Act[] = [
    {
      id: 'save',
      label: t('Keep as a new view…'),
      run: () => setSaving(true),
    },
    ...(own
      ? [
          {
            id: 'change',
            label: t('Change "{name}" to this', { name }),
            off: !changed,
            run: () => table.save(name),
          },
          { id: 'forget', label: t('Forget "{name}"', { name }), run: () => table.forget(name) },
        ]
      : []),
  ];
  return (
    <>
      <MenuButton
        label={changed ? t('View: {name}, changed', { name }) : t('View: {name}', { name })}
        sections={[
          { label: t('Views'), acts: list },
          { label: t('This view'), acts },
        ]}
        className={TOOL}
      >
        <RowsIcon size="1rem" aria-hidden="true" />
        {name}
        {changed ? <span className="font-normal text-ink3">{t('changed')}</span> : null}
        <CaretDownIcon size="0.75rem" aria-hidden="true" />
      </MenuButton>
      <Dialog title={t('Keep as a new view')} open={saving} onClose={() => setSaving(false)}>
        <SaveView table={table} onDone={() => setSaving(false)} />
      </Dialog>
    </>
  );
}

/** Which columns are shown. */
function Columns<R>(props: { table: TableState<R> }) {
  const { table } = props;
  const { layout } = table.arrangement;
  const acts: Act[] = ordered(table.columns, layout).map((column) => {
    const on = !layout.hidden.includes(column.id);
    return {
      id: column.id,
      label: column.head,
      detail: on ? t('shown') : t('hidden'),
      off: on && table.shown.length === 1,
      run: () => table.change({ layout: toggled(table.columns, layout, column.id) }),
    };
  });
  const back: Act = {
    id: 'columns as they were',
    label: t('As they were'),
    run: () => table.change({ layout: table.plain }),
  };
  return (
    <MenuButton
      label={t('Columns')}
      sections={[
        { label: t('Columns'), acts },
        { label: t('All of them'), acts: [back] },
      ]}
      className="inline-flex size-7 items-center justify-center rounded-ctl border border-line2 text-ink2 hover:bg-sunk"
    >
      <ColumnsIcon size="1rem" aria-hidden="true" />
    </MenuButton>
  );
}

/** Above a table: its view, its filters, and how many rows pass. */
export function TableBar<R>(props: {
  table: TableState<R>;
  /** How many of how many, in the noun of the table. */
  count: string;
  /** Acts on the table, after the filters. */
  children?: ReactNode;
}) {
  const { table } = props;
  return (
    <div className="flex min-h-10 flex-wrap items-center gap-2 border-b border-line2 px-4 py-1.5">
      <Views table={table} />
      {table.arrangement.filters.map((filter, index) => {
        const column = table.columns.find((one) => one.id === filter.column);
        return column ? (
          <Pill key={`${filter.column} ${index}`} table={table} column={column} filter={filter} />
        ) : null;
      })}
      {table.columns.some((column) => column.filter) ? <AddFilter table={table} /> : null}
      <span className="ml-auto" />
      {props.children}
      <span role="status" className="text-small text-ink3">
        {props.count}
      </span>
      <Columns table={table} />
    </div>
  );
}

/** All rows of a table, those that do not pass its filters too. */
export function everything<R>(table: TableState<R>): number {
  return table.paged ? table.size.all : table.all.length;
}

/** The filter that alone hides the most rows, where all rows are here to be counted. */
function worstFilter<R>(table: TableState<R>): { words: string; hidden: number } | null {
  if (table.paged || table.hidden.length < 2) return null;
  const hidden = Math.max(...table.hidden);
  const filter = table.arrangement.filters[table.hidden.indexOf(hidden)];
  const column = table.columns.find((one) => one.id === filter?.column);
  return filter && column && hidden > 0 ? { words: filterInWords(column, filter), hidden } : null;
}

/** No row passes the filters: which of them hides how many. */
export function NothingPasses<R>(props: { table: TableState<R> }) {
  const { table } = props;
  const worst = worstFilter(table);
  return (
    <Notice
      shape="note"
      title={t(
        '{filters, plural, one {No row passes the filter} other {No row passes # filters}}',
        {
          filters: table.arrangement.filters.length,
        },
      )}
      actions={
        <Button onPress={() => table.change({ filters: [] })}>{t('Remove all filters')}</Button>
      }
    >
      {worst
        ? t('{filter} alone hides {hidden, plural, one {# row} other {# rows}}.', {
            filter: `“${worst.words}”`,
            hidden: worst.hidden,
          })
        : t('{rows, plural, one {# row is} other {# rows are}} hidden.', {
            rows: everything(table),
          })}
    </Notice>
  );
}
