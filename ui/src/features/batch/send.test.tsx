import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { FakeOptions } from '../../backend/fake/fake';
import { PASSPHRASE } from '../../backend/fake/people';
import { OPEN_BATCH, button, open, reasonOf } from '../../test/open';

const HASH = '7f210c9e44d8b6a35512e0a7c39d41f8b0266e5d8a17cf93042be6d1905f7c3e';

/** Opens the dialog over a batch that every owner signed. */
async function openSend(options: FakeOptions = {}) {
  const view = open(OPEN_BATCH, { as: 'ines', ready: true, ...options });
  await view.user.click(await button('Send with my key…'));
  const dialog = await screen.findByRole('alertdialog');
  await within(dialog).findByText('Gas paid by');
  const sent = () => view.calls.filter((call) => call.name === 'batch_send');
  return { ...view, dialog: within(dialog), sent };
}

describe('sending with one’s own key', () => {
  it('shows what is paid, who pays the gas and how much at most, and sends what is on screen', async () => {
    const { user, dialog, sent } = await openSend();
    expect(dialog.getByText('32 payees')).toBeTruthy();
    const said = screen.getByRole('alertdialog').textContent;
    for (const words of ['1.206', '0.5', 'for each of 2 transactions']) {
      expect(said).toContain(words);
    }
    const send = await button('Send 37 payments');
    expect(reasonOf(send)).toContain('Needs the passphrase');
    await user.click(send);
    expect(sent()).toHaveLength(0);
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    await user.click(await button('Send 37 payments'));
    await waitFor(() => expect(screen.queryByRole('alertdialog')).toBeNull());
    expect(sent().map((call) => call.request)).toEqual([
      {
        id: OPEN_BATCH.split('/').pop(),
        contentHash: HASH,
        with: { kind: 'SOFTWARE', passphrase: PASSPHRASE, keep: false },
      },
    ]);
    expect(await screen.findByLabelText('Progress')).toBeTruthy();
  });

  it('has the safe choice in focus, and no key sends by itself', async () => {
    const { user, sent } = await openSend();
    const keep = await button('Keep it');
    keep.focus();
    await user.keyboard('{Enter}');
    await waitFor(() => expect(screen.queryByRole('alertdialog')).toBeNull());
    expect(sent()).toHaveLength(0);
  });

  it('says that a passphrase is wrong, forgets it, and lets one type it again', async () => {
    const { user } = await openSend();
    const field = screen.getByLabelText<HTMLInputElement>('Passphrase of your key');
    await user.type(field, 'something else');
    await user.click(await button('Send 37 payments'));
    await screen.findByText('This passphrase does not open your key. Nothing was signed.');
    expect(field.value).toBe('');
  });

  it('asks the Ledger and shows each leg while it waits, until one stops waiting', async () => {
    const { user, dialog, sent, calls } = await openSend({ device: 'READY', signing: 'waiting' });
    expect(dialog.getByText(/it cannot show who is paid/)).toBeTruthy();
    expect(screen.queryByLabelText('Passphrase of your key')).toBeNull();
    await user.click(await button('Send 37 payments'));
    expect(await dialog.findByLabelText('Leg 2: payments settled')).toBeTruthy();
    await user.click(await button('Stop waiting'));
    expect((await screen.findByRole('alert')).textContent).toContain('the device still asks');
    expect(sent()[0]?.request).toMatchObject({ with: { kind: 'LEDGER' } });
    expect(calls.some((call) => call.name === 'device_stop')).toBe(true);
  });

  it('takes the key file where both are there and one says so', async () => {
    const { user, sent } = await openSend({ device: 'READY' });
    await user.click(screen.getByRole('radio', { name: 'Your key file' }));
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    await user.click(await button('Send 37 payments'));
    await waitFor(() => expect(sent()).toHaveLength(1));
    expect(sent()[0]?.request).toMatchObject({ with: { kind: 'SOFTWARE' } });
  });

  it('never offers to send again after an incident', async () => {
    const { user, dialog } = await openSend({ signing: 'incident' });
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    await user.click(await button('Send 37 payments'));
    expect((await screen.findByRole('alert')).textContent).toContain('The Safe is frozen');
    expect(dialog.queryByRole('button', { name: /Send/ })).toBeNull();
    expect(await button('Close')).toBeTruthy();
  });

  it('does not send with a key that holds nothing', async () => {
    const { sent } = await openSend({ poor: true });
    expect(reasonOf(await button('Send 37 payments'))).toBe('It holds nothing to pay gas with');
    expect(sent()).toHaveLength(0);
  });
});
