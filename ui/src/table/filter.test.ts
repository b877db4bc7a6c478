import { describe, expect, it } from 'vitest';
import type { Filter } from '../contract/types';
import type { Column } from './column';
import { copied } from './copied';
import { choicesOf, filterInWords, filterRows, hiddenAlone, valueWrong } from './filter';
import { arranged, type Layout, moved, NARROWEST, toggled, WIDEST, widened } from './layout';
import { readViews, writeViews } from './view';

interface Row {
  name: string;
  state: string;
  amount: string | null;
  day: string;
}

const ROWS: Row[] = [
  { name: 'Halden Routing', state: 'OPEN', amount: '9007199254740993', day: '2026-11-30' },
  {
    name: 'Otterline',
    state: 'OPEN',
    amount: '9007199254740992.000000000000000001',
    day: '2026-12-01',
  },
  { name: '=Quartz', state: 'PAID', amount: '-3.5', day: '2026-11-29' },
  { name: 'Sable', state: 'PAID', amount: null, day: '2026-12-01' },
];

const COLUMNS: Column<Row>[] = [
  {
    id: 'name',
    head: 'Name',
    track: '1fr',
    cell: (row) => row.name,
    text: (row) => row.name,
    filter: { kind: 'text', of: (row) => row.name },
  },
  {
    id: 'state',
    head: 'State',
    track: '8rem',
    cell: (row) => row.state,
    filter: { kind: 'choice', of: (row) => [row.state], word: (state) => state.toLowerCase() },
  },
  {
    id: 'amount',
    head: 'Amount',
    track: '8rem',
    cell: (row) => row.amount,
    text: (row) => row.amount ?? '',
    filter: { kind: 'amount', of: (row) => row.amount },
  },
  {
    id: 'day',
    head: 'Day',
    track: '8rem',
    cell: (row) => row.day,
    filter: { kind: 'day', of: (row) => row.day },
  },
];

function names(...filters: Filter[]): string[] {
  return filterRows(ROWS, COLUMNS, filters).map((row) => row.name);
}

describe('filters', () => {
  it.each<[Filter, string[]]>([
    [{ column: 'name', test: 'has', values: ['OTTER'] }, ['Otterline']],
    [{ column: 'name', test: 'hasNot', values: ['l'] }, ['=Quartz']],
    [{ column: 'state', test: 'is', values: ['PAID'] }, ['=Quartz', 'Sable']],
    [{ column: 'state', test: 'isNot', values: ['PAID', 'OPEN'] }, []],
    // A float takes these two for the same number.
    [{ column: 'amount', test: 'atLeast', values: ['9007199254740993'] }, ['Halden Routing']],
    [{ column: 'amount', test: 'atMost', values: ['0'] }, ['=Quartz']],
    [
      { column: 'amount', test: 'isNot', values: ['-3.50'] },
      ['Halden Routing', 'Otterline', 'Sable'],
    ],
    [
      { column: 'day', test: 'from', values: ['2026-11-30'] },
      ['Halden Routing', 'Otterline', 'Sable'],
    ],
    [{ column: 'day', test: 'until', values: ['2026-11-29'] }, ['=Quartz']],
    [{ column: 'gone', test: 'is', values: ['x'] }, ROWS.map((row) => row.name)],
  ])('%j', (filter, found) => {
    expect(names(filter)).toEqual(found);
  });

  it('must all be passed, and each says what it alone hides', () => {
    const filters: Filter[] = [
      { column: 'state', test: 'is', values: ['OPEN'] },
      { column: 'amount', test: 'atLeast', values: ['10000000000000000'] },
    ];
    expect(names(...filters)).toEqual([]);
    expect(hiddenAlone(ROWS, COLUMNS, filters)).toEqual([0, 2]);
  });

  it('read as sentences', () => {
    const amount = COLUMNS[2];
    if (!amount) throw new Error('no column');
    expect(filterInWords(amount, { column: 'amount', test: 'atLeast', values: ['1250.5'] })).toBe(
      'Amount at least 1,250.5',
    );
  });

  it('count their choices', () => {
    const filter = COLUMNS[1]?.filter;
    if (filter?.kind !== 'choice') throw new Error('no choice');
    expect(choicesOf(ROWS, filter)).toEqual([
      { value: 'OPEN', word: 'open', rows: 2 },
      { value: 'PAID', word: 'paid', rows: 2 },
    ]);
  });

  it.each([
    ['amount', '1,250', 'Write a plain number, like 1250.5'],
    ['amount', '1250.5', undefined],
    ['day', '2026-11-31', 'There is no such day'],
    ['day', '30.11.2026', 'Write it as 2026-11-30'],
    ['text', '  ', 'Say what to look for'],
  ] as const)('%s %s', (kind, value, said) => {
    expect(valueWrong(kind, value)).toBe(said);
  });
});

describe('columns', () => {
  const plain: Layout = { order: [], hidden: [], widths: {} };
  const ids = (layout: Parameters<typeof arranged>[1]) =>
    arranged(COLUMNS, layout).map((column) => column.id);

  it('move past what is shown, hidden ones do not count', () => {
    const hidden = toggled(COLUMNS, plain, 'state');
    const layout = moved(COLUMNS, hidden, 'name', 1);
    expect(ids(layout)).toEqual(['amount', 'name', 'day']);
    expect(ids(toggled(COLUMNS, layout, 'state'))).toContain('state');
    expect(moved(COLUMNS, plain, 'name', -1)).toBe(plain);
    expect(moved(COLUMNS, plain, 'day', 1)).toBe(plain);
    expect(moved(COLUMNS, hidden, 'state', 1)).toBe(hidden);
  });

  it('leave the last one', () => {
    const one = ['name', 'state', 'amount'].reduce(
      (layout: Layout, id) => toggled(COLUMNS, layout, id),
      plain,
    );
    expect(ids(toggled(COLUMNS, one, 'day'))).toEqual(['day']);
  });

  it('stay between the narrowest and the widest', () => {
    expect(widened(plain, 'name', 0.1).widths.name).toBe(NARROWEST);
    expect(widened(plain, 'name', 999).widths.name).toBe(WIDEST);
    expect(arranged(COLUMNS, widened(plain, 'name', 12))[0]?.track).toBe('12rem');
  });
});

describe('copying', () => {
  it('gives a table without anything that a spreadsheet would run', () => {
    expect(copied(COLUMNS, ROWS.slice(2, 3))).toBe("Name\tAmount\n'=Quartz\t-3.5");
  });
});

describe('views', () => {
  it('belong to one person and one table, and a broken store is an empty one', () => {
    const view = {
      name: 'Large',
      filters: [],
      sort: null,
      layout: { order: [], hidden: [], widths: {} },
    };
    writeViews('ines', 'batches', [view]);
    expect(readViews('ines', 'batches')).toEqual([view]);
    expect(readViews('ines', 'runs')).toEqual([]);
    expect(readViews('tomas', 'batches')).toEqual([]);
    localStorage.setItem('countersign.views ines batches', '[{"name":7}]');
    expect(readViews('ines', 'batches')).toEqual([]);
  });
});
