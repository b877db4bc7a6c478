import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { button, open, reasonOf } from '../../test/open';

const OTTERLINE = '/payees/0193f000-0000-7000-8000-000000000001';
const WAITING = '/payees/0193f000-0000-7000-8000-000000000003';
const NEXT = '0x6C642caFCbd9d8383250bb25F67aE409147f78b3';

beforeEach(() => localStorage.clear());

describe('payees', () => {
  it('asks the core for what cools down', async () => {
    const { user, calls } = open('/payees', { as: 'ines' });
    expect(await screen.findByText('13 of 13')).toBeTruthy();
    await user.click(await button(/^View: The whole book/));
    await user.click(await screen.findByRole('menuitem', { name: 'Cooling down' }));
    expect(await screen.findByText('1 of 13')).toBeTruthy();
    const asked = calls.filter((call) => call.name === 'payee_list').map((call) => call.request);
    expect(asked.at(-1)).toMatchObject({
      filters: [{ column: 'state', test: 'is', values: ['COOLING'] }],
    });
  });

  it('opens a payee by the keyboard and comes back', async () => {
    const { user, history } = open('/payees', { as: 'ines' });
    const row = (await screen.findAllByRole('row'))[1];
    row?.focus();
    await user.keyboard('{ArrowDown}{Enter}');
    expect(await screen.findByRole('heading', { name: 'Brightwater Labs' })).toBeTruthy();
    await user.keyboard('{Escape}');
    await waitFor(() => expect(history.location.pathname).toBe('/payees'));
  });

  it('proposes another address only when it is one, and opens the change', async () => {
    const { user, calls, history } = open(OTTERLINE, { as: 'ines' });
    await user.click(await button('Propose another address…'));
    const dialog = await screen.findByRole('dialog');
    const act = () => within(dialog).getByRole('button', { name: 'Propose…' });
    expect(reasonOf(act())).toBe('Needs an address of 0x and 40 digits');
    const field = within(dialog).getByLabelText(/^New address/);
    await user.type(field, '0x6C642caFCbd9d8383250bb25F67aE409147f78b2');
    expect(reasonOf(act())).toBe('It is the address of now');
    await user.clear(field);
    await user.type(field, NEXT);
    // What differs is marked, group by group.
    expect([...dialog.querySelectorAll('.mark')].map((one) => one.textContent)).toEqual(['78b3']);
    await user.click(act());
    await waitFor(() => expect(history.location.pathname).toMatch(/^\/changes\//));
    expect(calls.find((call) => call.name === 'payee_propose')?.request).toEqual({
      payeeId: '0193f000-0000-7000-8000-000000000001',
      name: '',
      address: NEXT,
    });
    expect(reasonOf(await button('Confirm…'))).toBe('You proposed it: somebody else confirms it');
  });

  it('says why nobody proposes another one meanwhile', async () => {
    open(WAITING, { as: 'ines' });
    expect(reasonOf(await button('Propose another address…'))).toBe(
      'Another address waits for its second person',
    );
    expect(screen.getByRole('link', { name: 'Open the change' })).toBeTruthy();
  });

  it('says who may not propose', async () => {
    open('/payees', { as: 'mirela' });
    expect(reasonOf(await button('New payee…'))).toBe('Needs the permission "manage_payees"');
  });
});

describe('address books', () => {
  it('shows what a file would change, and proposes all of it', async () => {
    const { user, calls, history } = open('/payees', { as: 'ines' });
    await user.click(await button('Import…'));
    const dialog = await screen.findByRole('dialog');
    expect(within(dialog).getByText('2 lines change the book, 1 say the same.')).toBeTruthy();
    await user.click(within(dialog).getByRole('button', { name: 'Propose 2 changes…' }));
    await waitFor(() => expect(history.location.pathname).toBe('/changes'));
    expect(calls.find((call) => call.name === 'payee_import')?.request).toEqual({ id: 'book-1' });
  });

  it('names every bad line and proposes nothing', async () => {
    const { user } = open('/payees', { as: 'ines', file: 'bad' });
    await user.click(await button('Import…'));
    const dialog = await screen.findByRole('dialog');
    expect(within(dialog).getByText('2 lines have to be mended first')).toBeTruthy();
    expect(within(dialog).getByText(/wrong checksum/)).toBeTruthy();
    const act = within(dialog).getByRole('button', { name: 'Propose 0 changes…' });
    expect(reasonOf(act)).toBe('The file has to be mended first');
  });

  it('says where the book was written', async () => {
    const { user } = open('/payees', { as: 'ines' });
    await user.click(await button('Export…'));
    expect(await screen.findByText(/13 payees are in \/home\/ines/)).toBeTruthy();
  });
});
