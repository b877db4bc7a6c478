import { screen, waitFor, within } from '@testing-library/react';
import axe from 'axe-core';
import { beforeEach, describe, expect, it } from 'vitest';
import { button, open } from '../test/open';

beforeEach(() => localStorage.clear());

function heads(): string[] {
  return screen
    .getAllByRole('columnheader')
    .map((head) => head.textContent ?? '')
    .filter((head) => head !== '');
}

describe('a table', () => {
  it('is filtered, turned round and cleared by the keyboard', async () => {
    const { user, container } = open('/batches', { as: 'ines' });
    await screen.findByText('Solver rewards, week 46');
    const all = (await screen.findByText(/^\d+ of \d+ batch/)).textContent;
    await user.keyboard('/');
    await user.click(await screen.findByRole('button', { name: 'Title' }));
    await user.keyboard('week 46{Enter}');
    expect(await screen.findByText(/^1 of \d+ batch/)).toBeTruthy();
    await user.click(await button(/^Title contains week 46/));
    await user.click(await screen.findByRole('radio', { name: 'does not contain' }));
    await user.click(await button('Change the filter'));
    await waitFor(() => expect(screen.queryByText('Solver rewards, week 46')).toBeNull());
    const found = await axe.run(container, {
      rules: { 'color-contrast': { enabled: false }, region: { enabled: false } },
    });
    expect(found.violations.map((one) => one.id)).toEqual([]);
    await user.click(
      screen.getByRole('button', { name: 'Remove the filter Title does not contain week 46' }),
    );
    expect((await screen.findByText(/^\d+ of \d+ batch/)).textContent).toBe(all);
  });

  it('says which filter hides the rows', async () => {
    const { user } = open('/commissions', { as: 'ines' });
    await screen.findByText('Harrow Lane');
    await user.keyboard('/');
    await user.click(await screen.findByRole('button', { name: 'Total' }));
    await user.keyboard('1,000{Enter}');
    expect(await screen.findByText('Write a plain number, like 1250.5')).toBeTruthy();
    await user.clear(screen.getByLabelText('Value'));
    await user.keyboard('99999999{Enter}');
    expect(await screen.findByText('No row passes the filter')).toBeTruthy();
    await user.click(await button('Remove all filters'));
    expect(await screen.findByText('Harrow Lane')).toBeTruthy();
  });

  it('keeps a view for its person', async () => {
    const { user } = open('/batches', { as: 'ines' });
    await screen.findByText('Solver rewards, week 46');
    await user.click(await button('Column Lines'));
    await user.click(await screen.findByRole('menuitem', { name: 'Move left' }));
    expect(heads().slice(0, 3)).toEqual(['Number', 'Lines', 'Title']);
    await user.click(await button(/^View: All batches/));
    await user.click(await screen.findByRole('menuitem', { name: 'Keep as a new view…' }));
    const dialog = await screen.findByRole('dialog', { name: 'Keep as a new view' });
    await user.type(within(dialog).getByLabelText('Name of the view'), 'Lines first');
    await user.click(within(dialog).getByRole('button', { name: 'Keep the view' }));
    await user.click(await screen.findByRole('button', { name: /^View: Lines first/ }));
    await user.click(await screen.findByRole('menuitem', { name: 'All batches' }));
    expect(heads().slice(0, 3)).toEqual(['Number', 'Title', 'Lines']);
    await user.click(await button(/^View: All batches/));
    await user.click(await screen.findByRole('menuitem', { name: 'Lines first' }));
    expect(heads().slice(0, 3)).toEqual(['Number', 'Lines', 'Title']);
  });

  it('copies the row in focus, exact', async () => {
    const { user } = open('/commissions', { as: 'ines' });
    await screen.findByText('Harrow Lane');
    const row = screen.getAllByRole('row').find((one) => one.textContent?.includes('Harrow Lane'));
    row?.focus();
    await user.keyboard('{Control>}c{/Control}');
    const text = await navigator.clipboard.readText();
    expect(text.split('\n')).toHaveLength(2);
    expect(text).toContain('Harrow Lane');
    expect(text.split('\n')[0]).toContain('Total');
  });
});
