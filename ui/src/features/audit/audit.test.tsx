import { render, screen } from '@testing-library/react';
import { beforeEach, describe, expect, it } from 'vitest';
import { makeFake } from '../../backend/fake/fake';
import { button, open } from '../../test/open';
import { SessionProvider } from '../session/session';
import { TrailSaid } from './state';
import { actionWord, spaced } from './words';

beforeEach(() => localStorage.clear());

describe('the audit trail', () => {
  it('says up to where it is verified, and what is not sealed', async () => {
    open('/audit', { as: 'mirela' });
    expect(await screen.findByText(/verified and sealed up to entry 88,308/)).toBeTruthy();
    expect(screen.getByText('2 not sealed yet')).toBeTruthy();
  });

  it('asks the core for what a view is about', async () => {
    const { user, calls } = open('/audit', { as: 'mirela' });
    expect(await screen.findByText('190 of 190')).toBeTruthy();
    await user.click(await button(/^View: Everything/));
    await user.click(await screen.findByRole('menuitem', { name: 'Two-person changes' }));
    expect(await screen.findByText('38 of 190')).toBeTruthy();
    const asked = calls.filter((call) => call.name === 'audit_list').map((call) => call.request);
    expect(asked.at(-1)).toMatchObject({
      filters: [{ column: 'action', test: 'has', values: ['change.'] }],
    });
  });

  it('shows before and after beside each other, and leads to the thing', async () => {
    open('/audit/1204107', { as: 'mirela' });
    expect(await screen.findByText('PENDING_APPROVAL')).toBeTruthy();
    expect(screen.getByText('DRAFT')).toBeTruthy();
    const link = screen.getByRole('link', { name: /^Batch 147/ });
    expect(link.getAttribute('href')).toMatch(/\/batches\/0193b000/);
  });

  it('tells who may not read it what it takes', async () => {
    const { calls } = open('/audit', { as: 'ines' });
    expect(await screen.findByText('You may not read the audit trail')).toBeTruthy();
    expect(calls.some((call) => call.name.startsWith('audit_'))).toBe(false);
  });

  it('shows why it was not verified', async () => {
    open('/audit', {
      as: 'mirela',
      fails: { audit_verify: { code: 'CONFLICT', message: 'The copy is locked', reference: null } },
    });
    expect(await screen.findByText('The trail was not verified')).toBeTruthy();
    expect(screen.getByText('The copy is locked')).toBeTruthy();
  });

  it('names a break as an incident', async () => {
    const fake = makeFake({ as: 'mirela' });
    const state = await fake.call('audit_verify', null);
    const [chain] = state.chains;
    if (chain) chain.broken = 'Entry 9 of the chain is not what was sealed';
    const session = await fake.call('session_get', null);
    render(
      <SessionProvider value={session}>
        <TrailSaid state={state} busy={false} onAgain={() => undefined} />
      </SessionProvider>,
    );
    expect(screen.getByRole('alert').textContent).toContain('Entry 9 of the chain');
  });

  it('has words for actions, and shows others as they are recorded', () => {
    expect(actionWord('batch.approved')).toBe('Batch approved');
    expect(actionWord('something.new')).toBe('something.new');
    expect(spaced('payee_addresses')).toBe('payee addresses');
  });
});
