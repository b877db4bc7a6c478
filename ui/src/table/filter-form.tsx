import { useState } from 'react';
import { Button } from '../kit/button';
import { TextField } from '../kit/field';
import { t } from '../kit/say';
import { Segments } from '../kit/segments';
import type { Column } from './column';
import type { Filter, FilterTest } from '../contract/types';
import { choicesOf, testsOf, testWord, valueWrong } from './filter';
import type { TableState } from './state';

/** Chooses the values of a column, with how many rows have each. */
function Choices<R>(props: {
  table: TableState<R>;
  column: Column<R>;
  values: string[];
  onValues: (values: string[]) => void;
}) {
  const { filter } = props.column;
  if (filter?.kind !== 'choice') return null;
  const { table } = props;
  const choices = filter.values
    ? filter.values.map((value) => ({ value, word: filter.word(value), rows: null }))
    : choicesOf(table.paged ? [] : table.all, filter);
  // What was chosen before stays to be unchosen, though no row has it now.
  const gone = props.values.filter((value) => choices.every((choice) => choice.value !== value));
  const all = [
    ...choices,
    ...gone.map((value) => ({ value, word: filter.word(value), rows: null })),
  ];
  return (
    <fieldset className="max-h-64 overflow-auto">
      <legend className="sr-only">{props.column.head}</legend>
      {all.map((choice) => (
        <label
          key={choice.value}
          className="flex min-h-7 cursor-pointer items-center gap-2 rounded-ctl px-1 hover:bg-sunk"
        >
          <input
            type="checkbox"
            className="check"
            checked={props.values.includes(choice.value)}
            onChange={(event) =>
              props.onValues(
                event.target.checked
                  ? [...props.values, choice.value]
                  : props.values.filter((value) => value !== choice.value),
              )
            }
          />
          <span className="min-w-0 flex-1 truncate">{choice.word}</span>
          <span className="text-small text-ink3">{choice.rows}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Makes or changes one filter of a column. */
export function FilterForm<R>(props: {
  table: TableState<R>;
  column: Column<R>;
  filter: Filter | null;
  onDone: (filter: Filter) => void;
}) {
  const { column } = props;
  const kind = column.filter?.kind ?? 'text';
  const [test, setTest] = useState<FilterTest>(props.filter?.test ?? testsOf(kind)[0] ?? 'is');
  const [values, setValues] = useState<string[]>(props.filter?.values ?? []);
  const [tried, setTried] = useState(false);
  const typed = values[0] ?? '';
  const wrong =
    kind === 'choice'
      ? values.length === 0
        ? t('Choose at least one')
        : undefined
      : valueWrong(kind, typed);
  return (
    <form
      className="flex flex-col gap-3"
      onSubmit={(event) => {
        event.preventDefault();
        setTried(true);
        if (!wrong) props.onDone({ column: column.id, test, values });
      }}
    >
      <p className="font-semibold">{column.head}</p>
      <div className="self-start">
        <Segments
          label={t('How')}
          value={test}
          onChange={setTest}
          options={testsOf(kind).map((one) => ({ id: one, label: testWord(one) }))}
        />
      </div>
      {kind === 'choice' ? (
        <Choices table={props.table} column={column} values={values} onValues={setValues} />
      ) : (
        <TextField
          label={t('Value')}
          value={typed}
          onChange={(value) => setValues([value])}
          error={tried ? wrong : undefined}
          mono={kind !== 'text'}
          placeholder={kind === 'day' ? t('2026-11-30') : ''}
          autoFocus
        />
      )}
      <div className="flex justify-end">
        <Button type="submit" look="primary" off={kind === 'choice' ? (wrong ?? null) : null}>
          {props.filter ? t('Change the filter') : t('Add the filter')}
        </Button>
      </div>
    </form>
  );
}
