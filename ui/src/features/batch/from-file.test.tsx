import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { button, open, reasonOf } from '../../test/open';
import { periodOf } from './from-file';

const PATH = '/batches/new/file';

describe('a batch from a file', () => {
  it('shows every line before anything is made, then makes the batch', async () => {
    const { user, calls, history } = open(PATH, { as: 'ines' });
    await user.click(await button('Choose a file…'));
    const grid = await screen.findByRole('grid', { name: /^Lines of cow-solver/ });
    expect(within(grid).getAllByRole('row')).toHaveLength(1 + 37 + 2);
    expect(grid.textContent).toContain('0.000000003357056306');
    await user.click(screen.getByRole('button', { name: /Safe that pays/ }));
    await user.click(await screen.findByRole('option', { name: /Solver rewards/ }));
    await user.type(screen.getByLabelText('Title'), 'Week 47');
    await user.click(await button('Make a batch of 37 lines'));
    await waitFor(() => expect(history.location.pathname).toMatch(/^\/batches\/0193b000/));
    expect(calls.find((call) => call.name === 'batch_import')?.request).toMatchObject({
      token: 'preview-1',
      title: 'Week 47',
      period: '2023-02-07 to 2023-02-14',
    });
  });

  it('lists every bad line with its number and makes nothing', async () => {
    const { user } = open(PATH, { as: 'ines', file: 'bad' });
    await user.click(await button('Choose a file…'));
    expect((await screen.findByRole('alert')).textContent).toContain(
      '3 lines cannot be read, the first is line 5',
    );
    const rows = within(screen.getByRole('grid', { name: /^Errors in/ })).getAllByRole('row');
    expect(rows.map((row) => row.textContent)).toEqual([
      'LineColumnWhat is wrong',
      '5amount12,5 is not an amount: write 12.5.',
      '9receiverThe last letter does not fit the checksum. Paste the address again from its source.',
      '21amount19 decimals; COW has 18. Nothing was cut.',
    ]);
    expect(screen.queryByRole('button', { name: /^Make a batch/ })).toBeNull();
  });

  it('recognises a file that is already a batch', async () => {
    const { user } = open(PATH, { as: 'ines', file: 'again' });
    await user.click(await button('Choose a file…'));
    await screen.findByText('This very file is already batch 147');
    expect(reasonOf(await button(/^Make a batch/))).toBe('This file is already batch 147');
    expect(screen.getByRole('link', { name: 'Open batch 147' })).toBeTruthy();
  });

  it('says what a form still needs', async () => {
    const { user, calls } = open(PATH, { as: 'ines' });
    await user.click(await button('Choose a file…'));
    await user.click(await button('Make a batch of 37 lines'));
    expect(await screen.findByText('Choose the Safe that pays')).toBeTruthy();
    expect(screen.getByText('Give it a title, so that others find it')).toBeTruthy();
    expect(calls.some((call) => call.name === 'batch_import')).toBe(false);
  });

  it('takes a closed file dialog as nothing', async () => {
    const { user } = open(PATH, { as: 'ines', file: 'none' });
    await user.click(await button('Choose a file…'));
    expect(await screen.findByText(/You closed the file dialog; nothing was read\./)).toBeTruthy();
  });

  it('is closed to whoever may not make batches', async () => {
    const { user, calls } = open(PATH, { as: 'mirela' });
    const choose = await button('Choose a file…');
    expect(reasonOf(choose)).toContain('create_batch');
    await user.click(choose);
    expect(calls.some((call) => call.name === 'batch_choose_file')).toBe(false);
  });
});

describe('periodOf', () => {
  it('guesses from the name', () => {
    expect(periodOf('transfers-2023-02-07-to-2023-02-14.csv')).toBe('2023-02-07 to 2023-02-14');
    expect(periodOf('payout-2023-02-14.csv')).toBe('2023-02-14');
    expect(periodOf('payout.csv')).toBe('');
  });
});
