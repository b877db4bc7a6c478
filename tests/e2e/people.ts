import { type Locator, type Page, expect } from '@playwright/test';

/** Who does what, found by the duty on the login list; a caller may name others. */
export const DUTY = {
  preparer: new RegExp(process.env.E2E_PREPARER ?? 'Processor', 'i'),
  approvers: new RegExp(process.env.E2E_APPROVERS ?? 'Manager', 'i'),
  accountant: new RegExp(process.env.E2E_ACCOUNTANT ?? 'Accountant', 'i'),
};

function people(page: Page): Locator {
  return page.getByRole('list', { name: 'People on this machine' }).getByRole('button');
}

/** Logs in as the n-th person with a duty; every person has one click and no password in a demo. */
export async function logIn(page: Page, duty: RegExp, nth = 0): Promise<void> {
  await page.goto('/login');
  await expect(page.getByRole('heading', { name: 'Who is working?' })).toBeVisible();
  await people(page).filter({ hasText: duty }).nth(nth).click();
  await expect(page.getByRole('navigation', { name: 'Main' })).toBeVisible();
}

/** The passphrase of the demo's keys, as the login list shows it. */
export async function demoPassphrase(page: Page): Promise<string> {
  await page.goto('/login');
  const shown = page.getByLabel('Passphrase of the demo');
  await expect(shown).toBeVisible();
  return (await shown.innerText()).trim();
}

/** Goes to a place of the rail. */
export async function goTo(page: Page, place: string): Promise<void> {
  await page.getByRole('navigation', { name: 'Main' }).getByRole('link', { name: new RegExp(`^${place}`) }).click();
  await expect(page.getByRole('heading', { level: 1, name: place })).toBeVisible();
}

/** Opens a batch from the list by its title. */
export async function openBatch(page: Page, title: string): Promise<void> {
  await goTo(page, 'Batches');
  await page.getByRole('grid', { name: 'Batches' }).getByRole('link', { name: title }).first().click();
  await expect(page.getByRole('heading', { level: 1, name: title })).toBeVisible();
}

/** The header of the open screen, where its actions are. */
export function actions(page: Page): Locator {
  return page.getByRole('main').locator('header');
}
