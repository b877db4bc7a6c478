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

  it('is closed to whoever holds no owner key', async () => {
    open(`${OPEN_BATCH}/sign/1`, { as: 'ines' });
    const sign = await button('Countersign leg 1');
    expect(sign.getAttribute('aria-disabled')).toBe('true');
    expect(reasonOf(sign)).toContain('Opens after 1 more approval');
  });
});
