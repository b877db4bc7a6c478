import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { button, open, reasonOf } from '../test/open';

describe('the first filling of the local copy', () => {
  it('says rows, rate and time left, waits when asked, and goes on', async () => {
    const { user, calls } = open('/intents', { as: 'adaeze', filling: 'going' });
    await screen.findByText('1,204,118 of 2,150,000 rows, 41,200 a second, 23 s left');
    await user.click(await button('Pause'));
    await screen.findByText('1,204,118 of 2,150,000 rows, waiting');
    await user.click(await button('Go on'));
    await screen.findByText(/23 s left/);
    const asked = calls.filter((call) => call.name === 'session_fill').map((call) => call.request);
    expect(asked).toEqual([{ paused: true }, { paused: false }]);
  });
});

describe('without the shared database', () => {
  it('the banner says how old everything is, and what needs the database is off with the reason', async () => {
    const { user, calls } = open('/intents', { as: 'adaeze', offline: 'away' });
    const banner = await screen.findByRole('region', { name: 'Offline' });
    expect(banner.textContent).toMatch(/Offline: data of .*\d\d:\d\d UTC, 12 min old\./);
    const freeze = await button('Freeze needs the server');
    expect(reasonOf(freeze)).toBe('Needs the shared database, which does not answer');
    await user.click(freeze);
    expect(screen.queryByRole('dialog')).toBeNull();
    // What the local copy has is read all the same.
    await screen.findByText('10,000 of 10,000');
    await user.click(within(banner).getByRole('button', { name: 'What is disabled' }));
    const dialog = await screen.findByRole('dialog');
    expect(dialog.textContent).toContain('cannot be reached');
    expect(dialog.textContent).toContain('Nothing is kept to be done later');
    await user.click(within(dialog).getByRole('button', { name: 'Close' }));
    await user.click(within(banner).getByRole('button', { name: 'Try again' }));
    await waitFor(() => expect(calls.some((call) => call.name === 'session_reconnect')).toBe(true));
    expect(screen.getByRole('region', { name: 'Offline' })).toBeTruthy();
  });

  it('everything comes back when it answers again', async () => {
    const { user, calls } = open('/exports', { as: 'mirela', offline: 'back' });
    await screen.findByText(/nothing is kept to be done later/, undefined, { timeout: 5_000 });
    await user.click(await button('Try again'));
    await waitFor(() => expect(screen.queryByRole('region', { name: 'Offline' })).toBeNull(), {
      timeout: 5_000,
    });
    expect(await button('Freeze…')).toBeTruthy();
    expect(calls.some((call) => call.name === 'freeze_create')).toBe(false);
  });
});
