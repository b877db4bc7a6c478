import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import { PASSPHRASE } from '../../backend/fake/people';
import { OPEN_BATCH, button, open, reasonOf } from '../../test/open';

/** Approves as the second person, so that signing opens. */
async function opened() {
  const view = open(OPEN_BATCH, { as: 'adaeze' });
  await view.user.click(await button('Approve batch…'));
  await view.user.click(await button('Approve 37 payments'));
  return view;
}

describe('rejecting on chain', () => {
  it('asks the owners with a reason, then takes one signature over the hash on screen', async () => {
    const { user, calls } = await opened();
    await user.click(await button('Reject on chain…'));
    const dialog = await screen.findByRole('dialog');
    expect(within(dialog).getByText(/nothing is free/)).toBeTruthy();
    expect(reasonOf(await button('Ask the owners'))).toContain('Needs a reason of 10 characters');
    await user.type(screen.getByLabelText(/^Reason/), 'Bank details were swapped');
    await user.click(await button('Ask the owners'));
    await waitFor(() => expect(screen.queryByRole('dialog')).toBeNull());
    expect(calls.find((call) => call.name === 'rejection_ask')?.request).toMatchObject({
      legs: [],
      reason: 'Bank details were swapped',
    });
    const [sign] = await screen.findAllByRole('link', { name: 'Sign the rejection…' });
    if (!sign) throw new Error('no way to sign');
    await user.click(sign);
    await screen.findByRole('heading', { level: 1, name: /^Reject leg 1 of batch/ });
    expect(reasonOf(await button('Sign the rejection of leg 1'))).toContain('Needs the passphrase');
    await user.type(screen.getByLabelText('Passphrase of your key'), 'something else');
    await user.click(await button('Sign the rejection of leg 1'));
    await screen.findByText('The passphrase does not open the key. Nothing was signed.');
    await user.type(screen.getByLabelText('Passphrase of your key'), PASSPHRASE);
    await user.click(await button('Sign the rejection of leg 1'));
    await screen.findByText('Your signature is stored, 1 of 2');
    expect(calls.findLast((call) => call.name === 'rejection_sign')?.request).toMatchObject({
      leg: 1,
      safeTxHash: '0x8a1f0f7ab5cbb3a2c9a1c35dbe8cf7f1f4f39e7ad9b8f7d6a7c0b6bb3b1f5d29',
    });
    expect(screen.queryByLabelText('Passphrase of your key')).toBeNull();
  });
});
