import { screen } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { button, open } from '../../test/open';
import { COMMISSION_KINDS, commissionWord } from './words';

const ONE = '/commissions/0193d100-0000-7000-8000-000000000040';

beforeEach(() => localStorage.clear());

describe('commissions one by one', () => {
  it('shows what those that pass come to, as the core adds them', async () => {
    const { user, calls } = open('/commissions/all', { as: 'adaeze' });
    expect(await screen.findByText('180 of 180')).toBeTruthy();
    expect(screen.getByText('What is shown')).toBeTruthy();
    await user.click(await button(/^View: All commissions/));
    await user.click(await screen.findByRole('menuitem', { name: 'Held' }));
    expect(await screen.findByText('40 of 180')).toBeTruthy();
    const asked = calls.filter((call) => call.name === 'commission_list').map((one) => one.request);
    expect(asked.at(-1)).toMatchObject({
      filters: [{ column: 'state', test: 'is', values: ['ACCRUED'] }],
    });
  });

  it('leads from the commission to its sale, its rule, its affiliate and its batch', async () => {
    open(ONE, { as: 'adaeze' });
    expect(await screen.findByText('The rule that made it')).toBeTruthy();
    const hrefs = screen
      .getAllByRole('link')
      .map((link) => link.getAttribute('href')?.replace(/[0-9a-f-]{36}$/, '…'));
    for (const to of ['/intents/…', '/changes/…', '/affiliates/…', '/batches/…'])
      expect(hrefs).toContain(to);
  });

  it('has a word for every kind', () => {
    expect(COMMISSION_KINDS.map(commissionWord)).toEqual(['Direct', 'Override', 'Taken back']);
  });
});

describe('affiliates', () => {
  it('shows one between its parent and those below', async () => {
    const { user, history } = open('/affiliates/0193f000-0000-7000-8000-000000000003', {
      as: 'adaeze',
    });
    expect(await screen.findByText('The tree around it')).toBeTruthy();
    await user.click(screen.getByRole('link', { name: 'Pelican Markets' }));
    expect(await screen.findByText('parent: earns an override')).toBeTruthy();
    expect(history.location.pathname).toMatch(/4$/);
  });

  it('says why it cannot be read', async () => {
    open('/affiliates', {
      as: 'adaeze',
      fails: {
        affiliate_list: { code: 'CONFLICT', message: 'There is no local copy', reference: null },
      },
    });
    expect(await screen.findByText('There is no local copy')).toBeTruthy();
  });
});
