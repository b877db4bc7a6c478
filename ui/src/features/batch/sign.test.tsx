import { screen, waitFor } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { PASSPHRASE } from '../../backend/fake/people';
import type { FakeOptions } from '../../backend/fake/fake';
import { OPEN_BATCH, button, open, reasonOf } from '../../test/open';

/** Approves as the second person and opens the first leg. */
async function openLeg(options: FakeOptions = {}) {
  const view = open(OPEN_BATCH, { as: 'adaeze', ...options });
  await view.user.click(await button('Approve batch…'));
  await view.user.click(await button('Approve 37 payments'));
  await waitFor(async () =>
    expect((await button('Sign leg 1…')).getAttribute('aria-disabled')).toBeNull(),
  );
  await view.user.click(await button('Sign leg 1…'));
  await screen.findByRole('heading', { level: 1, name: 'Countersign leg 1 of 2' });
  return view;
}

describe('signing', () => {
  it('stores a signature over the hash on screen and goes on to the next leg', async () => {
    const { user, calls } = await openLeg();
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    await user.click(await button('Countersign leg 1'));
    await screen.findByText('Your signature is stored, 1 of 2');
    expect(calls.find((call) => call.name === 'leg_sign')?.request).toMatchObject({
      leg: 1,
      safeTxHash: '0xe0efa77518995dc3fb61718dbde512fe75b97b7e1f1b53476270109dd1813aba',
    });
    expect(screen.getByRole('link', { name: 'Sign leg 2…' })).toBeTruthy();
    expect(screen.queryByLabelText('Passphrase of your key')).toBeNull();
  });

  it('shows the hashes in the lines of the device', async () => {
    await openLeg();
    for (const line of [
      'B2816E44CEC2AEAFF',
      '23AB39C410E548F01',
      'DB28580E1D6F031182',
      'B38B0FFF4B1EE8',
    ]) {
      expect(screen.getByText(line)).toBeTruthy();
    }
  });

  it('needs the passphrase first', async () => {
    const { user, calls } = await openLeg();
    const sign = await button('Countersign leg 1');
    expect(reasonOf(sign)).toContain('Needs the passphrase');
    await user.click(sign);
    expect(calls.some((call) => call.name === 'leg_sign')).toBe(false);
  });

  it('says so when the passphrase is wrong, forgets it, and lets one try again', async () => {
    const { user } = await openLeg();
    const field = screen.getByLabelText<HTMLInputElement>('Passphrase of your key');
    await user.type(field, 'something else');
    await user.click(await button('Countersign leg 1'));
    await screen.findByText('The passphrase does not open the key. Nothing was signed.');
    expect(field.value).toBe('');
    await user.type(field, PASSPHRASE);
    await user.click(await button('Countersign leg 1'));
    await screen.findByText('Your signature is stored, 1 of 2');
  });

  it('says that nothing was signed when the person cancels', async () => {
    const { user } = await openLeg({ signing: 'cancelled' });
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    await user.click(await button('Countersign leg 1'));
    await screen.findByText('You cancelled. Nothing was signed.');
    expect(await button('Ask again')).toBeTruthy();
  });

  it('never offers a retry after an incident', async () => {
    const { user } = await openLeg({ signing: 'incident' });
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    await user.click(await button('Countersign leg 1'));
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The signature is for something else');
    expect(screen.queryByLabelText('Passphrase of your key')).toBeNull();
    expect(screen.queryByRole('button', { name: /again|Countersign/i })).toBeNull();
  });

  it('keeps the passphrase only when asked to, uses it for the next leg, and forgets it', async () => {
    const { user, calls } = await openLeg();
    const asked = () =>
      calls.filter((call) => call.name === 'leg_sign').map((call) => call.request);
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    const keep = screen.getByLabelText<HTMLInputElement>(/^Keep it in this computer/);
    expect(keep.checked).toBe(false);
    await user.click(keep);
    await user.click(await button('Countersign leg 1'));
    await screen.findByText('Your signature is stored, 1 of 2');
    expect(asked()).toMatchObject([{ with: { passphrase: PASSPHRASE, keep: true } }]);
    await user.click(screen.getByRole('link', { name: 'Sign leg 2…' }));
    await screen.findByText(/^Kept in this computer/);
    expect(screen.queryByLabelText('Passphrase of your key')).toBeNull();
    await user.click(await button('Forget it'));
    const field = await screen.findByLabelText<HTMLInputElement>('Passphrase of your key');
    expect(field.value).toBe('');
    expect(reasonOf(await button('Countersign leg 2'))).toContain('Needs the passphrase');
    expect(calls.filter((call) => call.name === 'key_forget')).toHaveLength(1);
  });

  it('signs with what this computer keeps: no passphrase crosses', async () => {
    const { user, calls } = await openLeg();
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    await user.click(screen.getByLabelText(/^Keep it in this computer/));
    await user.click(await button('Countersign leg 1'));
    await user.click(await screen.findByRole('link', { name: 'Sign leg 2…' }));
    await screen.findByText(/^Kept in this computer/);
    await user.click(await button('Countersign leg 2'));
    await screen.findByText('Your signature is stored, 1 of 2');
    expect(calls.filter((call) => call.name === 'leg_sign').at(-1)?.request).toMatchObject({
      leg: 2,
      with: { kind: 'SOFTWARE', passphrase: null, keep: false },
    });
  });

  it('says that nothing was kept where there is no key store, and the signature stands', async () => {
    const { user } = await openLeg({ keyStore: 'none' });
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    await user.click(screen.getByLabelText(/^Keep it in this computer/));
    await user.click(await button('Countersign leg 1'));
    await screen.findByText('Your signature is stored, 1 of 2');
    expect(screen.getByText(/^The passphrase is not kept/)).toBeTruthy();
    await user.click(screen.getByRole('link', { name: 'Sign leg 2…' }));
    expect(await screen.findByLabelText('Passphrase of your key')).toBeTruthy();
  });

  it('is closed to whoever holds no owner key', async () => {
    open(`${OPEN_BATCH}/sign/1`, { as: 'ines' });
    const sign = await button('Countersign leg 1');
    expect(sign.getAttribute('aria-disabled')).toBe('true');
    expect(reasonOf(sign)).toContain('Opens after 1 more approval');
  });
});

describe('signing with a Ledger', () => {
  it('shows its pages beforehand, asks it with the two hashes, and goes on to the next leg', async () => {
    const { user, calls } = await openLeg({ device: 'READY' });
    const pages = await screen.findByRole('list', { name: 'Pages of the device' });
    expect(pages.textContent).toContain('Domain hash (1/2)');
    expect(pages.textContent).toContain('B38B0FFF4B1EE8');
    expect(screen.queryByLabelText('Passphrase of your key')).toBeNull();
    await screen.findByText('Your Ledger is ready');
    await user.click(await button('Countersign leg 1'));
    await screen.findByText('Your signature is stored, 1 of 2');
    expect(calls.find((call) => call.name === 'leg_sign')?.request).toMatchObject({
      leg: 1,
      with: { kind: 'LEDGER', flow: 'HASHED' },
    });
    await user.click(screen.getByRole('link', { name: 'Sign leg 2…' }));
    await screen.findByRole('heading', { level: 1, name: 'Countersign leg 2 of 2' });
    await screen.findByText('Your Ledger is ready');
    expect(reasonOf(await button('Countersign leg 2'))).toBe('');
  });

  it('sends all fields only when the person chose that', async () => {
    const { user, calls } = await openLeg({ device: 'READY' });
    await screen.findByText('Your Ledger is ready');
    await user.click(screen.getByRole('radio', { name: 'All fields' }));
    expect(screen.getByText(/neither recipient nor calldata/)).toBeTruthy();
    await user.click(await button('Countersign leg 1'));
    await screen.findByText('Your signature is stored, 1 of 2');
    expect(calls.find((call) => call.name === 'leg_sign')?.request).toMatchObject({
      with: { kind: 'LEDGER', flow: 'FULL' },
    });
  });

  it('waits until the person says otherwise, and tells what is still on the device', async () => {
    const { user, calls } = await openLeg({ device: 'READY', signing: 'waiting' });
    await screen.findByText('Your Ledger is ready');
    expect(screen.queryByRole('button', { name: 'Stop waiting' })).toBeNull();
    await user.click(await button('Countersign leg 1'));
    await user.click(await button('Stop waiting'));
    expect((await screen.findByRole('alert')).textContent).toContain('the device still asks');
    expect(calls.some((call) => call.name === 'device_stop')).toBe(true);
    expect(screen.queryByText(/Your signature is stored/)).toBeNull();
    expect(await screen.findByRole('link', { name: 'Close' })).toBeTruthy();
  });

  it('names the hashes to compare where the pages were not observed', async () => {
    await openLeg({ device: 'READY', model: 'FLEX' });
    await screen.findByText(/was not observed: compare both hashes/);
    expect(screen.queryByRole('list', { name: 'Pages of the device' })).toBeNull();
    expect(
      screen.getByText('0xC03D57206AEB95BB2816E44CEC2AEAFF23AB39C410E548F01CE7FE7B6AA697EC'),
    ).toBeTruthy();
  });

  it.each([
    ['NOT_CONNECTED', 'Connect your Ledger'],
    ['LOCKED', 'Unlock your Ledger'],
    ['WRONG_APP', 'Open the Ethereum app'],
    ['BLIND_SIGNING_OFF', 'Switch blind signing on'],
  ] as const)('says what to do when it is %s and asks nothing', async (device, title) => {
    const { user, calls } = await openLeg({ device });
    await screen.findByText(title);
    const sign = await button('Countersign leg 1');
    expect(reasonOf(sign)).toContain('Needs your Ledger');
    await user.click(sign);
    expect(calls.some((call) => call.name === 'leg_sign')).toBe(false);
    expect(await button('Look again')).toBeTruthy();
  });

  it('never offers a retry after the Ledger signed something else', async () => {
    const { user } = await openLeg({ device: 'READY', signing: 'incident' });
    await screen.findByText('Your Ledger is ready');
    await user.click(await button('Countersign leg 1'));
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('The signature is for something else');
    expect(screen.queryByText('What your Ledger will show')).toBeNull();
    expect(screen.queryByRole('button', { name: /again|Countersign/i })).toBeNull();
  });

  it('is chosen after its address was compared, and used from then on', async () => {
    const { user, calls } = await openLeg();
    await user.click(await button('Choose a Ledger…'));
    const path = await screen.findByLabelText<HTMLInputElement>('Derivation path');
    await user.clear(path);
    await user.type(path, "m/44'/0'/0'/0/0");
    await user.click(await button('Compare on the Ledger'));
    await screen.findByText(/derives only below/);
    await user.clear(path);
    await user.type(path, "m/44'/60'/1'/0/0");
    await user.click(await button('Compare on the Ledger'));
    await screen.findByText('Your Ledger is ready');
    expect(calls.filter((call) => call.name === 'device_choose').at(-1)?.request).toMatchObject({
      path: "m/44'/60'/1'/0/0",
      model: null,
    });
    await user.click(await button('Use the key file'));
    expect(screen.getByLabelText('Passphrase of your key')).toBeTruthy();
  });
});
