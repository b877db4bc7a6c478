import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { button, open, reasonOf } from '../../test/open';
import { CHANGE_KINDS, changeWord } from './words';

const ADDRESS = '/changes/0193c000-0000-7000-8000-000000000900';
const POLICY = '/changes/0193c000-0000-7000-8000-000000000901';

beforeEach(() => localStorage.clear());

describe('changes', () => {
  it('counts in the rail what waits for this person', async () => {
    open('/changes', { as: 'adaeze' });
    const rail = await screen.findByRole('navigation', { name: 'Main' });
    const link = within(rail).getByRole('link', { name: /^Changes/ });
    await waitFor(() => expect(link.textContent).toBe('Changes1 waiting'));
  });

  it('confirms what was shown, by its hash', async () => {
    const { user, calls } = open(ADDRESS, { as: 'adaeze' });
    await user.click(await button('Confirm…'));
    expect(await screen.findByText('Verified on this machine')).toBeTruthy();
    expect(calls.find((call) => call.name === 'change_confirm')?.request).toEqual({
      changes: [{ id: '0193c000-0000-7000-8000-000000000900', contentHash: '5d0e77c1'.repeat(8) }],
    });
  });

  it('shows what is in force beside what would be, with the groups that differ marked', async () => {
    const { container } = open(ADDRESS, { as: 'adaeze' });
    expect(await screen.findByText('Until now')).toBeTruthy();
    expect([...container.querySelectorAll('.mark')].map((one) => one.textContent)).toEqual([
      '086b',
      '1e7A',
    ]);
  });

  it('says what the second person needs', async () => {
    open(POLICY, { as: 'ines' });
    expect(reasonOf(await button('Confirm…'))).toBe('Needs the permission "manage_rules"');
  });

  it('takes a proposal back with a reason', async () => {
    const { user, calls } = open(ADDRESS, { as: 'ines' });
    await user.click(await button('Take it back…'));
    const dialog = await screen.findByRole('dialog');
    await user.type(within(dialog).getByLabelText(/^Reason/), 'The payee sent another one');
    await user.click(within(dialog).getByRole('button', { name: 'Take it back' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(await screen.findByText('Withdrawn by Ines Moreau')).toBeTruthy();
    expect(calls.find((call) => call.name === 'change_withdraw')?.request).toEqual({
      id: '0193c000-0000-7000-8000-000000000900',
      reason: 'The payee sent another one',
    });
  });

  it('has a word for every kind', () => {
    expect(CHANGE_KINDS.filter((kind) => changeWord(kind) === kind)).toEqual([]);
  });
});
