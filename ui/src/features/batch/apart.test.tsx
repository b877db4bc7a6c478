import { screen, waitFor, within } from '@testing-library/react';
import { describe, expect, it } from 'vitest';
import type { FakeOptions } from '../../backend/fake/fake';
import { qrPath } from '../../kit/qr';
import { OPEN_BATCH, button, open, reasonOf } from '../../test/open';

/** Approves as the second person, so that signing is open. */
async function approved(options: FakeOptions = {}) {
  const view = open(OPEN_BATCH, { as: 'adaeze', ...options });
  await view.user.click(await button('Approve batch…'));
  await view.user.click(await button('Approve 37 payments'));
  await screen.findByRole('heading', { name: 'Apart from the network' });
  return view;
}

describe('a batch apart from the network', () => {
  it('is offered once signing is open, and not before', async () => {
    open(OPEN_BATCH, { as: 'adaeze' });
    await button('Approve batch…');
    expect(screen.queryByRole('button', { name: 'Write to a file…' })).toBeNull();
  });

  it('is written where the system dialog says: the page names no path', async () => {
    const { user, calls } = await approved();
    await user.click(await button('Write to a file…'));
    expect(await screen.findByText('/home/adaeze/batch-147.json')).toBeTruthy();
    const call = calls.find((one) => one.name === 'batch_carry');
    expect(Object.keys(call?.request ?? {})).toEqual(['id']);
  });

  it('stores a signature that is brought in', async () => {
    const { user } = await approved();
    await user.click(await button('Bring a signature in…'));
    expect(await screen.findByText('Leg 1: your signature is stored, 1 of 2')).toBeTruthy();
    expect(await screen.findAllByText('1 of 2 signatures')).not.toHaveLength(0);
  });

  it('shows what is wrong with a signature file, and nothing when the dialog was closed', async () => {
    const message = 'The file holds a signature of another batch: open that one';
    const { user } = await approved({
      fails: {
        batch_bring_in: { code: 'CONFLICT', message, reference: null },
        batch_carry: { code: 'CANCELLED', message: 'You kept it as it is', reference: null },
      },
    });
    await user.click(await button('Bring a signature in…'));
    expect((await screen.findByRole('alert')).textContent).toContain(message);
    await user.click(await button('Write to a file…'));
    await waitFor(() => expect(screen.getAllByRole('alert')).toHaveLength(1));
    expect(screen.queryByText(/You kept it/)).toBeNull();
  });

  it('is closed to whoever may not sign, with the reason', async () => {
    const { user } = await approved();
    await user.click(screen.getByRole('link', { name: /Switch person/ }));
    await user.click(await screen.findByRole('button', { name: /Ines/ }));
    await user.click(await screen.findByRole('link', { name: /^Batches/ }));
    await user.click(await screen.findByRole('link', { name: 'Solver rewards, week 46' }));
    expect(reasonOf(await button('Write to a file…'))).toBe('Needs the permission "approve"');
    expect(reasonOf(await button('Bring a signature in…'))).toContain('no owner key');
  });

  it('shows the hashes of a leg as a code, beside the same in letters', async () => {
    const { user } = await approved();
    await user.click(await button('QR of leg 1'));
    const dialog = await screen.findByRole('dialog');
    const code = await within(dialog).findByRole('img', { name: /as a QR code$/ });
    expect(code.querySelector('path')?.getAttribute('d')).toContain('M4 4h7v1h-7z');
    expect(
      within(dialog).getByText(
        '0xe0efa77518995dc3fb61718dbde512fe75b97b7e1f1b53476270109dd1813aba',
      ),
    ).toBeTruthy();
  });

  it('is verified without anybody signed in', async () => {
    const { user, calls } = open('/login');
    await user.click(await screen.findByRole('link', { name: /Verify a batch file/ }));
    await user.click(await button('Choose a batch file…'));
    await screen.findByText(/verified from the pinned keys/);
    expect(screen.getByRole('heading', { name: /^Leg 1, nonce \d+$/ })).toBeTruthy();
    expect(screen.getAllByRole('img', { name: /as a QR code$/ })).not.toHaveLength(0);
    expect(calls.some((one) => one.name === 'session_get')).toBe(false);
  });

  it('says that a file which nobody vouches for is not to be signed', async () => {
    const message = 'Nobody submitted this content. Sign nothing; call the other owners';
    const { user } = open('/file', {
      fails: { batch_verify: { code: 'INCIDENT', message, reference: null } },
    });
    await user.click(await button('Choose a batch file…'));
    const alert = await screen.findByRole('alert');
    expect(alert.textContent).toContain('This file is not to be signed');
    expect(alert.textContent).toContain(message);
    expect(screen.queryByText(/verified from the pinned keys/)).toBeNull();
  });
});

it('draws runs of dark modules inside a light border', () => {
  expect(qrPath(['110', '001', '000'])).toBe('M4 4h2v1h-2zM6 5h1v1h-1z');
});
