import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { OPEN_BATCH, button, open, reasonOf } from '../../test/open';

const PASSWORD = 'of adaeze';

async function heading() {
  return screen.findByRole('heading', { level: 1, name: 'Solver rewards, week 46' });
}

describe('the lock', () => {
  it('is set by a key, hides everything, and the password brings back what was open', async () => {
    const { user, calls, history } = open(OPEN_BATCH, { as: 'adaeze', password: PASSWORD });
    await heading();
    await user.keyboard('{Control>}l{/Control}');
    await screen.findByRole('heading', { level: 1, name: 'Locked' });
    for (const gone of [/Solver rewards, week 46/, /Halden Routing/, /442,786/, /0x/]) {
      expect(document.body.textContent).not.toMatch(gone);
    }
    expect(calls.some((call) => call.name === 'session_lock')).toBe(true);
    await screen.findByText('Adaeze Obi');
    expect(reasonOf(await button('Unlock'))).toContain('Needs the password');
    const before = calls.length;
    await user.type(await screen.findByLabelText('Password of adaeze'), PASSWORD);
    // Nothing is asked for behind the lock.
    expect(calls.slice(before).filter((call) => call.name !== 'session_profiles')).toEqual([]);
    await user.click(await button('Unlock'));
    await heading();
    expect(history.location.pathname).toBe(OPEN_BATCH);
  });

  it('stays shut to a wrong password, and forgets what was typed', async () => {
    const { user, calls } = open(OPEN_BATCH, { as: 'adaeze', password: PASSWORD });
    await heading();
    await user.keyboard('{Control>}l{/Control}');
    const field = await screen.findByLabelText<HTMLInputElement>('Password of adaeze');
    await user.type(field, 'something else');
    await user.click(await button('Unlock'));
    expect((await screen.findByRole('alert')).textContent).toContain('does not open');
    expect(field.value).toBe('');
    expect(screen.queryByText('Solver rewards, week 46')).toBeNull();
    expect(calls.filter((call) => call.name === 'session_open')).toHaveLength(1);
  });

  it('appears by itself once the core has locked', async () => {
    const { user } = open(OPEN_BATCH, { as: 'adaeze', password: PASSWORD, locksInSecs: 1 });
    await heading();
    await screen.findByRole('heading', { level: 1, name: 'Locked' }, { timeout: 15_000 });
    await user.click(await button('Switch person'));
    await screen.findByRole('heading', { level: 1, name: 'Who is working?' });
  });

  it('is put off while somebody moves, and moving is not reported at every step', async () => {
    const { user, calls } = open(OPEN_BATCH, { as: 'adaeze' });
    await heading();
    const reports = () => calls.filter((call) => call.name === 'session_activity').length;
    await user.keyboard('abcdef');
    await waitFor(() => expect(reports()).toBe(1));
    await user.keyboard('ghijkl');
    await user.hover(screen.getByRole('heading', { level: 1 }));
    expect(reports()).toBe(1);
  });

  it('says in the status bar when it comes, and locks from there', async () => {
    const { user } = open(OPEN_BATCH, { as: 'adaeze', locksInSecs: 252 });
    await user.click(await button(/^Locks in 4:1\d/));
    await screen.findByRole('heading', { level: 1, name: 'Locked' });
    await user.click(await button('Unlock'));
    await heading();
  });

  it('is a command of the palette', async () => {
    const { user } = open(OPEN_BATCH, { as: 'adaeze' });
    await heading();
    await user.keyboard('{Control>}k{/Control}');
    await user.type(await screen.findByRole('searchbox'), 'lock now');
    await user.click(await screen.findByRole('menuitem', { name: /^Lock now/ }));
    await screen.findByRole('heading', { level: 1, name: 'Locked' });
  });
});
