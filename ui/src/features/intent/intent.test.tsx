import { screen, waitFor, within } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { button, open, reasonOf } from '../../test/open';
import { percent } from '../commission/words';

const DEAD = '/intents/0193a000-0000-7000-8000-000000000005';

beforeEach(() => localStorage.clear());

describe('intents', () => {
  it('asks the core for what is in sight, filtered there', async () => {
    const { user, calls } = open('/intents', { as: 'adaeze' });
    expect(await screen.findByText('10,000 of 10,000')).toBeTruthy();
    await user.click(await button(/^View: All intents/));
    await user.click(await screen.findByRole('menuitem', { name: 'Failed or dead' }));
    expect(await screen.findByText('36 of 10,000')).toBeTruthy();
    const asked = calls.filter((call) => call.name === 'intent_list').map((call) => call.request);
    expect(asked.at(-1)).toEqual({
      filters: [{ column: 'state', test: 'is', values: ['FAILED', 'DEAD'] }],
      sort: null,
      offset: 0,
      limit: 200,
    });
  });

  it('sends a dead one through again, with a reason', async () => {
    const { user, calls } = open(DEAD, { as: 'adaeze' });
    await user.click(await button('Send through again…'));
    const dialog = await screen.findByRole('dialog');
    const act = within(dialog).getByRole('button', { name: 'Send it through again' });
    expect(reasonOf(act)).toBe('Needs a reason of 10 characters');
    await user.type(within(dialog).getByLabelText(/^Reason/), 'The user is registered now');
    await user.click(within(dialog).getByRole('button', { name: 'Send it through again' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(calls.find((call) => call.name === 'intent_revive')?.request).toEqual({
      ids: ['0193a000-0000-7000-8000-000000000005'],
      reason: 'The user is registered now',
    });
    expect(await screen.findByText('Pending')).toBeTruthy();
  });

  it('says why somebody cannot', async () => {
    open(DEAD, { as: 'mirela' });
    expect(reasonOf(await button('Send through again…'))).toBe('Needs the permission "operate"');
  });

  it.each([
    ['0.10000000', '10'],
    ['0.00125000', '0.125'],
    ['1', '100'],
    ['0.00000001', '0.000001'],
  ])('shows the rate %s exactly', (rate, shown) => {
    expect(percent(rate)).toBe(shown);
  });
});
