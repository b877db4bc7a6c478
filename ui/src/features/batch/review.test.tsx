import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { OPEN_BATCH, button, open, reasonOf } from '../../test/open';

async function heading() {
  return screen.findByRole('heading', { level: 1, name: 'Solver rewards, week 46' });
}

describe('batch review', () => {
  it('lets another person approve exactly the content on screen', async () => {
    const { user, calls } = open(OPEN_BATCH, { as: 'adaeze' });
    await user.click(await button('Approve batch…'));
    const dialog = await screen.findByRole('dialog');
    expect(within(dialog).getByText('32 payees')).toBeTruthy();
    await user.click(within(dialog).getByRole('button', { name: 'Approve 37 payments' }));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const approval = calls.find((call) => call.name === 'batch_approve');
    expect(approval?.request).toMatchObject({
      contentHash: '7f210c9e44d8b6a35512e0a7c39d41f8b0266e5d8a17cf93042be6d1905f7c3e',
    });
    expect(await screen.findAllByText('Approved')).not.toHaveLength(0);
  });

  it('refuses the preparer their own approval, with the reason beside the button', async () => {
    const { user, calls } = open(OPEN_BATCH, { as: 'ines' });
    const approve = await button('Approve batch…');
    expect(approve.getAttribute('aria-disabled')).toBe('true');
    expect(reasonOf(approve)).toBe('You prepared it; others approve');
    await user.click(approve);
    approve.focus();
    await user.keyboard('{Enter}');
    expect(screen.queryByRole('dialog')).toBeNull();
    expect(calls.some((call) => call.name === 'batch_approve')).toBe(false);
  });

  it('says what signing waits for', async () => {
    open(OPEN_BATCH, { as: 'adaeze' });
    expect(reasonOf(await button('Sign leg 1…'))).toBe('Opens after 1 more approval');
  });

  it('keeps what the core refuses on screen', async () => {
    const { user } = open(OPEN_BATCH, {
      as: 'adaeze',
      fails: {
        batch_approve: {
          code: 'CONFLICT',
          message: 'The content changed. Read the batch again.',
          reference: null,
        },
      },
    });
    await user.click(await button('Approve batch…'));
    await user.click(await button('Approve 37 payments'));
    expect((await screen.findByRole('alert')).textContent).toContain('The content changed.');
  });

  it('asks for a reason of ten characters before it rejects', async () => {
    const { user, calls } = open(OPEN_BATCH, { as: 'adaeze' });
    await user.click(await button('Reject…'));
    const reject = await button('Reject for good');
    expect(reasonOf(reject)).toContain('Needs a reason of 10 characters');
    await user.type(screen.getByLabelText(/^Reason/), 'Amounts of last week');
    await user.click(await button('Reject for good'));
    await waitFor(() => expect(calls.some((call) => call.name === 'batch_reject')).toBe(true));
    expect(await screen.findAllByText('Rejected')).not.toHaveLength(0);
  });

  it('has the safe choice in focus, and no key approves by itself', async () => {
    const { user, calls } = open(OPEN_BATCH, { as: 'adaeze' });
    await user.click(await button('Approve batch…'));
    const keep = await button('Keep reviewing');
    expect(document.activeElement).toBe(keep);
    await user.keyboard('{Enter}');
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    await user.keyboard('abcdefghijklmnopqrstuvwxyz');
    expect(calls.some((call) => call.name === 'batch_approve')).toBe(false);
  });

  it('walks the lines by arrows and shows the exact sum of what is selected', async () => {
    const { user } = open(OPEN_BATCH, { as: 'adaeze' });
    await heading();
    const rows = screen.getAllByRole('row').filter((row) => row.dataset.index !== undefined);
    rows[0]?.focus();
    await user.keyboard('{ArrowDown} {ArrowDown} {ArrowDown} ');
    const sum = await screen.findByText('3 lines selected');
    expect(sum.parentElement?.textContent).toContain('330992.66205721366');
  });

  it('says so when the batch cannot be read', async () => {
    open(OPEN_BATCH, {
      as: 'adaeze',
      fails: {
        batch_get: {
          code: 'INTERNAL',
          message: 'The row is not what it should be.',
          reference: 'a-7',
        },
      },
    });
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The row is not what it should be.');
    expect(alert.textContent).toContain('a-7');
  });

  it('returns with the lines marked that the chain stops, and takes them out by one button', async () => {
    const { user, calls } = open(OPEN_BATCH, { as: 'adaeze', stopped: [3, 12] });
    expect(
      await screen.findByText('Line 3: On the blacklist of COW', {}, { timeout: 10_000 }),
    ).toBeTruthy();
    expect(
      screen.getAllByText('Take the line out and tell whoever is responsible for compliance'),
    ).not.toHaveLength(0);
    expect(screen.queryByRole('button', { name: /Take out/ })).toBeNull();
    await user.click(screen.getByLabelText('Select line 20'));
    await user.click(await button('Return…'));
    const dialog = await screen.findByRole('dialog');
    expect(within(dialog).getByText(/^3 lines go back marked/)).toBeTruthy();
    await user.type(screen.getByLabelText(/^Reason/), 'These cannot be paid');
    await user.click(await button('Return to the preparer'));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const returned = calls.find((call) => call.name === 'batch_return');
    expect(returned?.request).toMatchObject({
      marks: [
        { line: 3, reason: expect.stringContaining('On the blacklist of COW: isBlacklisted') },
        { line: 12, reason: expect.stringContaining('Looks like another address') },
        { line: 20, reason: 'These cannot be paid' },
      ],
    });
  });

  it('takes marked lines out of a draft, all of them and nothing else', async () => {
    const { user, calls } = open('/batches', { as: 'adaeze', stopped: [3, 12] });
    await user.click(await screen.findByRole('link', { name: 'Solver rewards, week 46' }));
    await screen.findByText('Line 3: On the blacklist of COW', {}, { timeout: 10_000 });
    await user.click(await button('Return…'));
    await user.type(screen.getByLabelText(/^Reason/), 'These cannot be paid');
    await user.click(await button('Return to the preparer'));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const off = await button('Take out 2 marked lines…');
    expect(reasonOf(off)).toBe('Needs the permission "edit_batch"');
    await user.click(screen.getByRole('link', { name: /Switch person/ }));
    await user.click(await screen.findByRole('button', { name: /Ines/ }));
    await user.click(await screen.findByRole('link', { name: /^Batches/ }));
    await user.click(await screen.findByRole('link', { name: 'Solver rewards, week 46' }));
    await user.click(await button('Take out 2 marked lines…'));
    await user.click(await button('Take out 2 lines'));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    const taken = calls.find((call) => call.name === 'batch_take_out');
    expect(taken?.request).toMatchObject({ lines: [3, 12] });
    await waitFor(() => expect(screen.queryByRole('button', { name: /Take out/ })).toBeNull());
  });

  it('says so where the chain does not answer, and what the rows say stays', async () => {
    open(OPEN_BATCH, {
      as: 'adaeze',
      fails: {
        batch_preflight: {
          code: 'UNAVAILABLE',
          message: 'The RPC endpoint node.example did not answer.',
          reference: null,
        },
      },
    });
    expect(
      await screen.findByText(
        'The RPC endpoint node.example did not answer.',
        {},
        { timeout: 15_000 },
      ),
    ).toBeTruthy();
    expect(screen.getAllByText('First payment to this payee')).not.toHaveLength(0);
  });
});
