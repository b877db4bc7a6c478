import { screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { describe, expect, it } from 'vitest';
import { OPEN_BATCH, button, open } from '../test/open';
import { dateWrong, monthOf } from './export/period';

/** Colours and layout are judged in a real browser; names, roles and structure here. */
async function complaints(container: Element): Promise<string[]> {
  const found = await axe.run(container, {
    rules: { 'color-contrast': { enabled: false }, region: { enabled: false } },
  });
  return found.violations.map(
    (one) => `${one.id}: ${one.nodes.map((node) => node.html.slice(0, 160)).join(' | ')}`,
  );
}

const SCREENS: [path: string, as: string | undefined, ready: RegExp][] = [
  ['/login', undefined, /Ines Moreau/],
  ['/', 'adaeze', /Waits for you/],
  ['/batches', 'adaeze', /Solver rewards, week 46/],
  ['/batches/new/file', 'ines', /No file is chosen/],
  ['/batches/new/commissions', 'ines', /Harrow Lane/],
  [OPEN_BATCH, 'adaeze', /Halden Routing/],
  [`${OPEN_BATCH}/sign/1`, 'adaeze', /What it does/],
  ['/intents', 'adaeze', /10,000 of 10,000/],
  ['/intents/0193a000-0000-7000-8000-000000000013', 'adaeze', /What came of it/],
  ['/payees', 'ines', /13 of 13/],
  ['/payees/0193f000-0000-7000-8000-000000000000', 'ines', /Looks like an address of/],
  ['/commissions/all', 'adaeze', /180 of 180/],
  ['/commissions/0193d100-0000-7000-8000-000000000041', 'adaeze', /The rule that made it/],
  ['/affiliates', 'adaeze', /13 of 13/],
  ['/affiliates/0193f000-0000-7000-8000-000000000003', 'adaeze', /The tree around it/],
  ['/audit', 'mirela', /verified and sealed up to/],
  ['/audit/1204107', 'mirela', /What changed/],
  ['/changes', 'adaeze', /You can confirm it/],
  ['/changes/0193c000-0000-7000-8000-000000000900', 'adaeze', /Look before you sign/],
  ['/commissions', 'ines', /Harrow Lane/],
  ['/ledger', 'mirela', /Debits equal credits/],
  ['/reconciliation', 'mirela', /Run 92/],
  ['/reconciliation/run-92', 'mirela', /two sides/],
  ['/reconciliation/run-91', 'mirela', /Everything agrees/],
  ['/exports', 'mirela', /Owed to Harrow Lane/],
];

describe('every screen', () => {
  it.each(SCREENS)('%s is clear to a screen reader', async (path, as, ready) => {
    const { container } = open(path, as ? { as } : {});
    await screen.findAllByText(ready);
    expect(await complaints(container)).toEqual([]);
  });

  it.each([
    '/',
    '/batches',
    '/payees',
    '/intents',
    '/commissions',
    '/commissions/all',
    '/affiliates',
    '/audit',
    '/ledger',
    '/reconciliation',
    '/exports',
    '/changes',
  ])('%s says what it means to be empty', async (path) => {
    const { container } = open(path, { as: 'lena', empty: true });
    await screen.findAllByText(/nothing|no |yet/i);
    expect(await complaints(container)).toEqual([]);
  });
});

describe('the session', () => {
  it('asks who is working when nobody is signed in, and says that it is a demo', async () => {
    const { history, user } = open('/batches');
    await screen.findByText('Who is working?');
    expect(history.location.pathname).toBe('/login');
    expect((await screen.findByLabelText('Passphrase of the demo')).textContent).toBe(
      'correct horse battery staple',
    );
    await user.click(await button(/Tomas Wieczorek/));
    await screen.findByRole('link', { name: /Tomas Wieczorek.*Switch person/ });
  });

  it('keeps the sentence of a refused login', async () => {
    const { user } = open('/login', {
      fails: {
        session_open: {
          code: 'UNAVAILABLE',
          message: 'The database does not answer. Start it, then log in.',
          reference: null,
        },
      },
    });
    await user.click(await button(/Ines Moreau/));
    expect((await screen.findByRole('alert')).textContent).toContain(
      'The database does not answer.',
    );
  });
});

describe('the window', () => {
  it('finds places and batches in the palette', async () => {
    const { user, history } = open('/', { as: 'adaeze' });
    await screen.findByText('Waits for you');
    await user.keyboard('{Control>}k{/Control}');
    const search = await screen.findByRole('searchbox');
    await user.type(search, 'week 46');
    await user.keyboard('{ArrowDown}{Enter}');
    await waitFor(() => expect(history.location.pathname).toBe(OPEN_BATCH));
  });

  it('freezes what is open, with a reason', async () => {
    const { user, calls } = open(OPEN_BATCH, { as: 'adaeze' });
    await screen.findAllByText('Halden Routing');
    await user.click(await button('Freeze…'));
    const dialog = await screen.findByRole('dialog', { name: 'Freeze' });
    await user.type(within(dialog).getByLabelText(/^Reason/), 'The list looks altered');
    await user.click(within(dialog).getByRole('button', { name: 'Freeze now' }));
    await waitFor(() =>
      expect(calls.find((call) => call.name === 'freeze_create')?.request).toMatchObject({
        scope: 'BATCH',
      }),
    );
    expect(await screen.findByText('Frozen.')).toBeTruthy();
  });

  it('tells those who may not freeze what it takes', async () => {
    open('/', { as: 'mirela' });
    const freeze = await button('Freeze…');
    expect(freeze.getAttribute('aria-disabled')).toBe('true');
  });
});

describe('reconciliation', () => {
  it('starts a run and opens it', async () => {
    const { user, history } = open('/reconciliation', { as: 'mirela' });
    await user.click(await button('Run reconciliation'));
    await waitFor(() => expect(history.location.pathname).toBe('/reconciliation/run-93'));
    expect(await screen.findByText('100.00 %')).toBeTruthy();
  });

  it('shows both sides of an altered line and marks the digits that differ', async () => {
    const { container } = open('/reconciliation/run-92', { as: 'mirela' });
    await screen.findByText('Batch is 180.000000 COW higher');
    expect(
      [...container.querySelectorAll('b.mark')].map((digit) => digit.textContent).join(''),
    ).toBe('7557');
  });
});

describe('export', () => {
  it('writes the journal and lists it', async () => {
    const { user } = open('/exports', { as: 'mirela' });
    await user.click(await button('Export journal…'));
    await screen.findByText('8 lines are written');
    await user.click(screen.getByRole('radio', { name: 'Exported files' }));
    expect(
      within(await screen.findByRole('grid', { name: 'Exports' })).getByText('Journal, CSV'),
    ).toBeTruthy();
  });

  it('refuses a period that is none', () => {
    expect(dateWrong({ from: '2026-02-30', to: '2026-03-01' }).from).toBe('There is no such day');
    expect(dateWrong({ from: '2026-3-1', to: '2026-03-01' }).from).toBe('Write it as 2026-11-30');
    expect(dateWrong({ from: '2026-03-02', to: '2026-03-01' }).to).toBe('It ends before it begins');
    expect(dateWrong({ from: '2026-03-01', to: '2026-03-01' })).toEqual({
      from: undefined,
      to: undefined,
    });
  });

  it('knows months in the zone of the program', () => {
    const night = new Date('2026-10-31T23:30:00Z');
    expect(monthOf(night, 'UTC', 0)).toEqual({ from: '2026-10-01', to: '2026-10-31' });
    expect(monthOf(night, 'Europe/Berlin', 0)).toEqual({ from: '2026-11-01', to: '2026-11-30' });
    expect(monthOf(new Date('2026-01-05T00:00:00Z'), 'UTC', -1)).toEqual({
      from: '2025-12-01',
      to: '2025-12-31',
    });
  });
});
