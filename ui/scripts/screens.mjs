// Takes pictures of every screen with the made-up backend, in both themes and two sizes.
//   node scripts/screens.mjs OUT [name-filter]
// Builds mode `fake` into dist-fake and serves it under the window's own policy; prints whatever
// the page complains about, a refused style above all.
import { mkdirSync } from 'node:fs';
import { chromium } from 'playwright-core';
import { build, preview } from 'vite';

const say = (text) => process.stdout.write(`${text}\n`);

const out = process.argv[2] ?? 'screens';
const only = process.argv[3];
const BATCH = '/batches/0193b000-0000-7000-8000-000000000147';
const button = (page, name) => page.getByRole('button', { name });

async function approve(page) {
  await button(page, 'Approve batch…').click();
  await button(page, /^Approve \d+ payments$/).click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

async function switchTo(page, person) {
  await page.getByRole('link', { name: /Switch person/ }).click();
  await page.getByRole('button', { name: new RegExp(person) }).click();
  await page.getByRole('navigation', { name: 'Main' }).waitFor();
}

async function openBatch(page) {
  await page.getByRole('link', { name: /^Batches/ }).click();
  await page.getByRole('link', { name: 'Solver rewards, week 46' }).click();
}

async function sign(page, leg, passphrase = 'correct horse battery staple') {
  await page.getByLabel('Passphrase of your key').fill(passphrase);
  await button(page, `Countersign leg ${leg}`).click();
}

async function signBoth(page) {
  await page
    .getByRole('banner')
    .or(page.locator('header'))
    .getByRole('button', { name: /^Sign leg 1/ })
    .click();
  await sign(page, 1);
  await page.getByRole('link', { name: 'Sign leg 2…' }).click();
  await sign(page, 2);
  await page.getByRole('link', { name: 'Back to the batch' }).click();
}

/** Asks the owners to use up the nonces of an approved batch. */
async function askRejection(page) {
  await approve(page);
  await button(page, 'Reject on chain…').click();
  await page.getByLabel(/^Reason/).fill('The bank details of line 3 were swapped');
}

async function readyToSend(page) {
  await approve(page);
  await signBoth(page);
  await switchTo(page, 'Tomas');
  await openBatch(page);
  await signBoth(page);
  await switchTo(page, 'Ines');
  await openBatch(page);
}

/** The approver returns what is stopped, and its preparer opens it. */
async function goesBack(page) {
  await button(page, 'Return…').click();
  await page.getByLabel(/^Reason/).fill('Two payees cannot be paid');
  await button(page, 'Return to the preparer').click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
  await switchTo(page, 'Ines');
  await openBatch(page);
}

/** Adds a filter of a column by the keyboard. */
async function filter(page, column, choose) {
  await page.keyboard.press('/');
  await page.getByRole('dialog').getByRole('button', { name: column, exact: true }).click();
  await choose();
  await button(page, 'Add the filter').click();
  await page.getByRole('dialog').waitFor({ state: 'detached' });
}

const SCREENS = [
  { name: 'login', path: '/login' },
  { name: 'home', path: '/?as=adaeze' },
  { name: 'home-accountant', path: '/?as=mirela' },
  { name: 'offline', path: '/intents?as=adaeze&offline=away' },
  { name: 'offline-review', path: `${BATCH}?as=adaeze&offline=away` },
  { name: 'filling', path: '/intents?as=adaeze&filling=going' },
  { name: 'offline-home', path: '/?as=adaeze&offline=away' },
  { name: 'home-empty', path: '/?as=ines&empty' },
  { name: 'batches', path: '/batches?as=adaeze' },
  { name: 'batches-empty', path: '/batches?as=ines&empty' },
  { name: 'import-start', path: '/batches/new/file?as=ines' },
  {
    name: 'import-good',
    path: '/batches/new/file?as=ines',
    act: (p) => button(p, 'Choose a file…').click(),
  },
  {
    name: 'import-bad',
    path: '/batches/new/file?as=ines&file=bad',
    act: (p) => button(p, 'Choose a file…').click(),
  },
  {
    name: 'import-again',
    path: '/batches/new/file?as=ines&file=again',
    act: (p) => button(p, 'Choose a file…').click(),
  },
  { name: 'from-commissions', path: '/batches/new/commissions?as=ines' },
  {
    name: 'review',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      for (const line of [1, 2, 3])
        await p.getByLabel(`Select line ${line}`, { exact: true }).check();
      await p.getByLabel('Select line 5', { exact: true }).focus();
      await p.locator('[data-index="5"]').focus();
    },
  },
  { name: 'review-preparer', path: `${BATCH}?as=ines` },
  { name: 'review-stopped', path: `${BATCH}?as=adaeze&stopped=3,12` },
  {
    name: 'return-marked',
    path: `${BATCH}?as=adaeze&stopped=3,12`,
    act: (p) => button(p, 'Return…').click(),
  },
  { name: 'review-marked', path: `${BATCH}?as=adaeze&stopped=3,12`, act: goesBack },
  {
    name: 'take-out',
    path: `${BATCH}?as=adaeze&stopped=3,12`,
    act: async (p) => {
      await goesBack(p);
      await button(p, 'Take out 2 marked lines…').click();
    },
  },
  {
    name: 'review-signatures',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await approve(p);
      await signBoth(p);
      await p.getByText('Signatures that are out').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'review-apart',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Write to a file…').click();
      await p.getByText('Apart from the network').scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'leg-code',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await approve(p);
      await button(p, 'QR of leg 1').click();
      await p.getByRole('img', { name: /QR code/ }).waitFor();
    },
  },
  {
    name: 'verify-file',
    path: '/file',
    act: async (p) => {
      await button(p, 'Choose a batch file…').click();
      await p.getByText(/verified from the pinned keys/).waitFor();
    },
  },
  {
    name: 'locked',
    path: `${BATCH}?as=adaeze&password=x`,
    act: async (p) => {
      await p.keyboard.press('Control+l');
      await p.getByText('Password of adaeze').waitFor();
    },
  },
  {
    name: 'sign-kept',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await p.getByLabel(/^Keep it in this computer/).check();
      await sign(p, 1);
      await p.getByRole('link', { name: 'Sign leg 2…' }).click();
      await p.getByText(/^Kept in this computer/).waitFor();
    },
  },
  {
    name: 'sign-waiting',
    path: `${BATCH}?as=adaeze&device=READY&signing=waiting`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await p.getByText('Your Ledger is ready').waitFor();
      await button(p, 'Countersign leg 1').click();
      await button(p, 'Stop waiting').waitFor();
    },
  },
  { name: 'verify-start', path: '/batches/file?as=ines' },
  { name: 'approve', path: `${BATCH}?as=adaeze`, act: (p) => button(p, 'Approve batch…').click() },
  { name: 'reject', path: `${BATCH}?as=adaeze`, act: (p) => button(p, 'Reject…').click() },
  { name: 'rejection-ask', path: `${BATCH}?as=adaeze`, act: askRejection },
  {
    name: 'rejection-asked',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await askRejection(p);
      await button(p, 'Ask the owners').click();
      await p.getByRole('dialog').waitFor({ state: 'detached' });
      await p.getByText('Rejection asked for').first().scrollIntoViewIfNeeded();
    },
  },
  {
    name: 'rejection-sign',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await askRejection(p);
      await button(p, 'Ask the owners').click();
      await p.getByRole('dialog').waitFor({ state: 'detached' });
      await p.getByRole('link', { name: 'Sign the rejection…' }).first().click();
      await p.getByLabel('Passphrase of your key').fill('correct horse');
    },
  },
  {
    name: 'fields',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Fields and hashes').click();
    },
  },
  {
    name: 'sign',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await p.getByLabel('Passphrase of your key').fill('correct horse');
    },
  },
  ...['READY', 'LOCKED'].map((state) => ({
    name: `sign-ledger-${state.toLowerCase()}`,
    path: `${BATCH}?as=adaeze&device=${state}`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await p.getByText('What your Ledger will show').waitFor();
    },
  })),
  {
    name: 'sign-ledger-flex',
    path: `${BATCH}?as=adaeze&device=READY&model=FLEX`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await p.getByText('What your Ledger will show').waitFor();
    },
  },
  {
    name: 'choose-ledger',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await button(p, 'Choose a Ledger…').click();
      await p.getByRole('dialog').waitFor();
    },
  },
  {
    name: 'sign-wrong',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await sign(p, 1, 'something else');
      await p.getByText('does not open the key').waitFor();
    },
  },
  {
    name: 'sign-stored',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await sign(p, 1);
      await p.getByText('Your signature is stored').waitFor();
    },
  },
  {
    name: 'sign-cancelled',
    path: `${BATCH}?as=adaeze&signing=cancelled`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await sign(p, 1);
      await p.getByText('Nothing was signed.').first().waitFor();
    },
  },
  {
    name: 'sign-incident',
    path: `${BATCH}?as=adaeze&signing=incident`,
    act: async (p) => {
      await approve(p);
      await button(p, 'Sign leg 1…').click();
      await sign(p, 1);
      await p.getByText('The signature is for something else').waitFor();
    },
  },
  {
    name: 'send',
    path: `${BATCH}?as=adaeze`,
    act: async (p) => {
      await readyToSend(p);
      await button(p, /^Send \d+ payments…$/).click();
    },
  },
  {
    name: 'send-key',
    path: `${BATCH}?as=ines&ready`,
    act: (p) => button(p, 'Send with my key…').click(),
  },
  {
    name: 'send-ledger',
    path: `${BATCH}?as=ines&ready&device=READY&signing=waiting`,
    act: async (p) => {
      await button(p, 'Send with my key…').click();
      await button(p, /^Send \d+ payments$/).click();
      await button(p, 'Stop waiting').waitFor();
    },
  },
  {
    name: 'sending',
    path: `${BATCH}?as=adaeze&pace=0.6`,
    act: async (p) => {
      await readyToSend(p);
      await button(p, /^Send \d+ payments…$/).click();
      await button(p, /^Send \d+ payments$/).click();
      await p.getByText('5 of 37 payments').waitFor();
    },
  },
  { name: 'sent', path: '/batches/0193b000-0000-7000-8000-000000000145?as=adaeze' },
  { name: 'intents', path: '/intents?as=adaeze' },
  { name: 'intents-empty', path: '/intents?as=ines&empty' },
  {
    name: 'intents-dead',
    path: '/intents?as=adaeze',
    act: async (p) => {
      await button(p, /^View: /).click();
      await p.getByRole('menuitem', { name: 'Failed or dead' }).click();
      await p
        .getByText(/user harbour-7731/)
        .first()
        .waitFor();
    },
  },
  { name: 'intent', path: '/intents/0193a000-0000-7000-8000-000000000013?as=adaeze' },
  {
    name: 'intent-dead',
    path: '/intents/0193a000-0000-7000-8000-000000000005?as=adaeze',
    act: (p) => button(p, 'Send through again…').click(),
  },
  { name: 'payees', path: '/payees?as=ines' },
  { name: 'payees-empty', path: '/payees?as=ines&empty' },
  { name: 'payee', path: '/payees/0193f000-0000-7000-8000-000000000000?as=ines' },
  { name: 'payee-waiting', path: '/payees/0193f000-0000-7000-8000-000000000003?as=ines' },
  { name: 'payee-blocked', path: '/payees/0193f000-0000-7000-8000-000000000009?as=mirela' },
  {
    name: 'payee-propose',
    path: '/payees/0193f000-0000-7000-8000-000000000001?as=ines',
    act: async (p) => {
      await button(p, 'Propose another address…').click();
      await p.getByLabel(/^New address/).fill('0x6C642caFCbd9d8383250bb25F67aE409147f78b3');
    },
  },
  {
    name: 'payee-new',
    path: '/payees?as=ines&propose=true',
    act: (p) => p.getByRole('dialog').waitFor(),
  },
  {
    name: 'payee-file',
    path: '/payees?as=ines',
    act: (p) => button(p, 'Import…').click(),
  },
  {
    name: 'payee-file-bad',
    path: '/payees?as=ines&file=bad',
    act: (p) => button(p, 'Import…').click(),
  },
  { name: 'audit', path: '/audit?as=mirela' },
  { name: 'audit-empty', path: '/audit?as=mirela&empty' },
  { name: 'audit-may-not', path: '/audit?as=ines' },
  { name: 'audit-entry', path: '/audit/1204107?as=mirela' },
  { name: 'audit-made', path: '/audit/1204114?as=mirela' },
  { name: 'changes', path: '/changes?as=adaeze' },
  { name: 'changes-empty', path: '/changes?as=adaeze&empty' },
  { name: 'change', path: '/changes/0193c000-0000-7000-8000-000000000900?as=adaeze' },
  { name: 'change-mine', path: '/changes/0193c000-0000-7000-8000-000000000900?as=ines' },
  { name: 'change-done', path: '/changes/0193c000-0000-7000-8000-000000000010?as=mirela' },
  {
    name: 'change-withdraw',
    path: '/changes/0193c000-0000-7000-8000-000000000900?as=ines',
    act: (p) => button(p, 'Take it back…').click(),
  },
  { name: 'commissions', path: '/commissions?as=ines' },
  { name: 'earned', path: '/commissions/all?as=adaeze' },
  { name: 'earned-one', path: '/commissions/0193d100-0000-7000-8000-000000000041?as=adaeze' },
  { name: 'affiliates', path: '/affiliates?as=adaeze' },
  { name: 'affiliate', path: '/affiliates/0193f000-0000-7000-8000-000000000003?as=adaeze' },
  {
    name: 'table-filter',
    path: '/batches?as=adaeze',
    act: async (p) => {
      await filter(p, 'State', async () => {
        await p.getByRole('radio', { name: 'is not' }).click();
        await p.getByRole('checkbox').first().check();
      });
      await filter(p, 'Lines', () => p.getByLabel('Value').fill('5'));
      await p.keyboard.press('/');
      await p.getByRole('dialog').getByRole('button', { name: 'Made from' }).click();
    },
  },
  {
    name: 'table-nothing',
    path: '/commissions?as=ines',
    act: async (p) => {
      await filter(p, 'Total', () => p.getByLabel('Value').fill('99999999'));
      await filter(p, 'Asset', () => p.getByRole('checkbox').first().check());
    },
  },
  {
    name: 'table-views',
    path: '/batches?as=adaeze',
    act: (p) => button(p, /^View: /).click(),
  },
  {
    name: 'table-column',
    path: '/ledger?as=mirela',
    act: async (p) => {
      await p.getByRole('columnheader', { name: /Credits/ }).hover();
      await button(p, 'Column Credits').click();
    },
  },
  { name: 'ledger', path: '/ledger?as=mirela' },
  { name: 'reconciliation', path: '/reconciliation?as=mirela' },
  { name: 'run', path: '/reconciliation/run-92?as=mirela' },
  { name: 'run-matched', path: '/reconciliation/run-91?as=mirela' },
  { name: 'exports', path: '/exports?as=mirela' },
  {
    name: 'exports-written',
    path: '/exports?as=mirela',
    act: async (p) => {
      await button(p, 'Export journal…').click();
      await p.getByText('lines are written').waitFor();
      await p.getByRole('radio', { name: 'Exported files' }).click();
    },
  },
  { name: 'palette', path: '/?as=adaeze', act: (p) => p.keyboard.press('Control+k') },
  {
    name: 'freeze',
    path: `${BATCH}?as=adaeze`,
    act: (p) => button(p, 'Freeze…').click(),
  },
];

const LOOKS = [
  { name: 'light', size: [1440, 900], theme: 'light' },
  { name: 'dark', size: [1440, 900], theme: 'dark' },
  { name: 'small', size: [1024, 640], theme: 'light' },
  { name: 'contrast', size: [1440, 900], theme: 'light', contrast: 'more', some: true },
  { name: 'zoom200', size: [1440, 900], theme: 'light', zoom: 200, some: true },
  { name: 'zoom80', size: [1440, 900], theme: 'light', zoom: 80, some: true },
];
const SOME = ['home', 'review', 'sign', 'run', 'batches', 'import-good', 'exports'];
const looks = LOOKS.filter(
  (look) => !process.env.LOOKS || process.env.LOOKS.split(',').includes(look.name),
);

mkdirSync(out, { recursive: true });
await build({ mode: 'fake', logLevel: 'warn' });
const server = await preview({ mode: 'fake', build: { outDir: 'dist-fake' } });
const browser = await chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox'],
});
let failed = 0;
for (const look of looks) {
  for (const screen of SCREENS) {
    if (only && !screen.name.match(new RegExp(`^(${only})$`))) continue;
    if (look.some && !SOME.includes(screen.name)) continue;
    const context = await browser.newContext({
      viewport: { width: look.size[0], height: look.size[1] },
      colorScheme: look.theme,
      reducedMotion: 'reduce',
    });
    await context.addInitScript(
      (prefs) => localStorage.setItem('countersign.look', prefs),
      JSON.stringify({
        theme: look.theme,
        contrast: look.contrast ?? 'system',
        zoom: look.zoom ?? 100,
      }),
    );
    const page = await context.newPage();
    page.setDefaultTimeout(8_000);
    page.on('console', (message) => {
      if (['error', 'warning'].includes(message.type()))
        say(`${look.name}/${screen.name}: ${message.text()}`);
    });
    page.on('pageerror', (error) => say(`${look.name}/${screen.name}: ${error.message}`));
    try {
      await page.goto(`http://127.0.0.1:1422${screen.path}`);
      await page.locator('h1').first().waitFor({ state: 'attached' });
      await screen.act?.(page);
      await page.waitForTimeout(250);
    } catch (error) {
      failed += 1;
      say(`${look.name}/${screen.name}: ${String(error).split('\n')[0]}`);
    }
    await page.screenshot({ path: `${out}/${screen.name}-${look.name}.png` });
    await context.close();
  }
}
await browser.close();
await server.close();
process.exit(failed > 0 ? 1 : 0);
