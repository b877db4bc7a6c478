import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Page, expect, test } from '@playwright/test';
import { DUTY, actions, demoPassphrase, goTo, logIn, openBatch } from './people';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const TITLE = `Solver rewards, end to end ${Date.now().toString(36)}`;
const LINES = Number(process.env.E2E_LINES ?? '37');

/** What an accessibility check finds wrong with the open screen, colours included. */
async function complaints(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = globalThis as unknown as {
      axe: { run: (options: object) => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
    };
    const found = await axe.run({ runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] });
    return found.violations.map((one) => `${one.id}: ${one.nodes.map((node) => node.html).join(' | ')}`);
  });
}

async function approve(page: Page): Promise<void> {
  await actions(page).getByRole('button', { name: 'Approve batch…' }).click();
  const dialog = page.getByRole('dialog');
  await expect(dialog.getByRole('button', { name: 'Keep reviewing' })).toBeFocused();
  await dialog.getByRole('button', { name: /^Approve \d+ payments?$/ }).click();
  await expect(dialog).toBeHidden();
}

/** Signs every leg that this person can sign; answers how many. */
async function signAll(page: Page, passphrase: string): Promise<number> {
  await actions(page).getByRole('button', { name: /^Sign leg \d+…$/ }).click();
  for (let signed = 1; ; signed += 1) {
    await expect(page.getByRole('heading', { level: 1, name: /^Countersign leg \d+ of \d+$/ })).toBeVisible();
    await expect(page.getByRole('heading', { name: /^Domain hash/ })).toBeVisible();
    await page.getByLabel('Passphrase of your key').fill(passphrase);
    await page.getByRole('button', { name: /^Countersign leg \d+$/ }).click();
    await expect(page.getByRole('heading', { name: /^Your signature is stored/ })).toBeVisible();
    const next = page.getByRole('link', { name: /^Sign leg \d+…$/ });
    if ((await next.count()) === 0) {
      await page.getByRole('link', { name: 'Back to the batch' }).click();
      return signed;
    }
    await next.click();
  }
}

/** Writes the open batch to a file; verified where nobody is signed in, it shows the same code. */
async function carryAndVerify(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Write to a file…' }).click();
  await expect(page.getByText(/^\d+ legs? (is|are) in the file$/)).toBeVisible();
  await page.getByRole('button', { name: 'QR of leg 1' }).click();
  const own = page.getByRole('dialog').getByRole('img').locator('path');
  await expect(own).toBeVisible();
  const code = (await own.getAttribute('d')) ?? 'none';
  expect(code.length).toBeGreaterThan(1_000);
  expect(await complaints(page)).toEqual([]);
  await page.getByRole('button', { name: 'Close' }).click();

  await page.goto('/login');
  await page.getByRole('link', { name: /^Verify a batch file/ }).click();
  await page.getByRole('button', { name: 'Choose a batch file…' }).click();
  await expect(page.getByText(/are verified from the pinned keys/)).toBeVisible();
  await expect(page.getByRole('img', { name: /^Hashes of leg 1/ }).locator('path')).toHaveAttribute('d', code);
  await expect(page.getByRole('list', { name: /^Lines of leg/ }).getByRole('listitem')).toHaveCount(LINES);
  expect(await complaints(page)).toEqual([]);
  await page.goto('/');
  await openBatch(page, TITLE);
}

/** Locks by hand: nothing is left on the page, and the same screen comes back. */
async function lockAndComeBack(page: Page): Promise<void> {
  const at = page.url();
  await page.keyboard.press('Control+l');
  await expect(page.getByRole('heading', { level: 1, name: 'Locked' })).toBeVisible();
  await expect(page.getByText(TITLE)).toHaveCount(0);
  expect(await complaints(page)).toEqual([]);
  // A page that is loaded anew is locked too: the lock is the core's.
  await page.reload();
  await expect(page.getByRole('heading', { level: 1, name: 'Locked' })).toBeVisible();
  await page.getByRole('button', { name: 'Unlock' }).click();
  await expect(page.getByRole('heading', { level: 1, name: TITLE })).toBeVisible();
  expect(page.url()).toBe(at);
}

test.describe.configure({ mode: 'serial' });

test('the preparer imports the payout file and submits it', async ({ page }) => {
  await logIn(page, DUTY.preparer);
  await goTo(page, 'Batches');
  await page.getByRole('link', { name: 'From a file…' }).first().click();
  await page.getByRole('button', { name: 'Choose a file…' }).first().click();
  const lines = page.getByRole('grid', { name: /^Lines of / });
  await expect(lines.getByRole('row')).not.toHaveCount(0);
  await expect(page.getByRole('button', { name: `Make a batch of ${LINES} lines` })).toBeVisible();
  expect(await complaints(page)).toEqual([]);
  await page.getByRole('button', { name: /Safe that pays/ }).click();
  await page.getByRole('option').first().click();
  await page.getByLabel('Title').fill(TITLE);
  const period = page.getByLabel('Period');
  if ((await period.inputValue()) === '') await period.fill('2023-02-07 to 2023-02-14');
  await page.getByRole('button', { name: `Make a batch of ${LINES} lines` }).click();
  await expect(page.getByRole('heading', { level: 1, name: TITLE })).toBeVisible();
  await actions(page).getByRole('button', { name: 'Submit…' }).click();
  await page.getByRole('button', { name: 'Submit for approval' }).click();
  await expect(actions(page).getByText('Pending approval')).toBeVisible();
  expect(await complaints(page)).toEqual([]);
});

test('the same file is recognised', async ({ page }) => {
  await logIn(page, DUTY.preparer);
  await page.goto('/batches/new/file');
  await page.getByRole('button', { name: 'Choose a file…' }).first().click();
  await expect(page.getByText(/This very file is already batch \d+/)).toBeVisible();
  await expect(page.getByRole('button', { name: /^Make a batch/ })).toHaveAttribute('aria-disabled', 'true');
});

test("the preparer's own approval is refused, with the reason", async ({ page }) => {
  await logIn(page, DUTY.preparer);
  await openBatch(page, TITLE);
  const own = actions(page).getByRole('button', { name: 'Approve batch…' });
  await expect(own).toHaveAttribute('aria-disabled', 'true');
  await expect(own).toHaveAccessibleDescription(/.+/);
  await own.focus();
  await page.keyboard.press('Enter');
  await expect(page.getByRole('dialog')).toHaveCount(0);
});

test('two others approve and countersign, the executor sends, and every line is paid', async ({ page }) => {
  const passphrase = await demoPassphrase(page);
  await logIn(page, DUTY.approvers, 0);
  await openBatch(page, TITLE);
  await approve(page);
  await logIn(page, DUTY.approvers, 1);
  await openBatch(page, TITLE);
  await approve(page);

  await carryAndVerify(page);
  await lockAndComeBack(page);

  // Whoever satisfies the policy signs in the same visit; the other is called back.
  const legs = await signAll(page, passphrase);
  await logIn(page, DUTY.approvers, 0);
  await openBatch(page, TITLE);
  expect(await complaints(page)).toEqual([]);
  expect(await signAll(page, passphrase)).toBe(legs);

  await logIn(page, DUTY.preparer);
  await openBatch(page, TITLE);
  await actions(page).getByRole('button', { name: `Send ${LINES} payments…` }).click();
  const dialog = page.getByRole('alertdialog');
  await expect(dialog.getByRole('button', { name: 'Keep it' })).toBeFocused();
  expect(await complaints(page)).toEqual([]);
  await dialog.getByRole('button', { name: `Send ${LINES} payments` }).click();
  await expect(actions(page).getByText(/^(Executing|Executed)$/)).toBeVisible();
  await expect(actions(page).getByText('Executed', { exact: true })).toBeVisible({ timeout: 180_000 });
  const lines = page.getByRole('grid', { name: /^Lines of batch/ });
  await expect(lines.getByText('Settled', { exact: true })).toHaveCount(LINES);
});

test('a reconciliation run finds every line', async ({ page }) => {
  await logIn(page, DUTY.preparer);
  await goTo(page, 'Reconciliation');
  await page.getByRole('button', { name: 'Run reconciliation' }).click();
  await expect(page.getByRole('heading', { level: 1, name: /^Run \d+$/ })).toBeVisible();
  await expect(page.getByText('100.00 %')).toBeVisible();
  await expect(page.getByText('Everything agrees')).toBeVisible();
  expect(await complaints(page)).toEqual([]);
});

test('the accountant exports the journal, and it is listed', async ({ page }) => {
  await logIn(page, DUTY.accountant);
  await goTo(page, 'Ledger');
  await expect(page.getByText('Debits equal credits')).toBeVisible();
  expect(await complaints(page)).toEqual([]);
  await goTo(page, 'Exports');
  await expect(page.getByText('Debits equal credits')).toBeVisible();
  await page.getByRole('button', { name: 'Export journal…' }).click();
  await expect(page.getByText(/\d+ lines? (is|are) written/)).toBeVisible();
  await page.getByRole('radio', { name: 'Exported files' }).click();
  const list = page.getByRole('grid', { name: 'Exports' });
  await expect(list.getByText('Journal, CSV').first()).toBeVisible();
  expect(await complaints(page)).toEqual([]);
});
