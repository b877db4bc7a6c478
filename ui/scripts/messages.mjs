// Collects every message of the window into src/locales/en/messages.json, sorted; with --check it
// only says whether that file is current. A message is the literal first argument of t('…') or the
// say="…" of <T>; anything else cannot be translated and is refused.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compileMessage } from '@lingui/message-utils/compileMessage';

const say = (text) => process.stdout.write(`${text}\n`);

const ROOT = new URL('../src/', import.meta.url).pathname;
const FILE = join(ROOT, 'locales/en/messages.json');

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory())
      return ['contract', 'fake', 'locales', 'test'].includes(entry.name) ? [] : sources(path);
    return /\.tsx?$/.test(entry.name) && !/\.test\./.test(entry.name) ? [path] : [];
  });
}

const found = new Set();
const wrong = [];
for (const path of sources(ROOT)) {
  if (path.endsWith('kit/say.tsx')) continue;
  const text = readFileSync(path, 'utf8');
  for (const call of text.matchAll(/(?<![\w.])t\(\s*('(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|.)/gs)) {
    const literal = call[1];
    if (literal.length < 2) {
      wrong.push(`${path}: ${text.slice(call.index, call.index + 60)}`);
      continue;
    }
    found.add(literal.slice(1, -1).replace(/\\(.)/g, '$1'));
  }
  for (const part of text.matchAll(/<T\s[^>]*?say="([^"]*)"/gs)) found.add(part[1]);
}
for (const message of found) {
  try {
    compileMessage(message);
  } catch (error) {
    wrong.push(`${message}: ${error.message}`);
  }
}
if (wrong.length > 0) {
  console.error(`These messages cannot be collected:\n${wrong.join('\n')}`);
  process.exit(1);
}
const text = `${JSON.stringify(Object.fromEntries([...found].sort().map((message) => [message, message])), null, 2)}\n`;
if (process.argv.includes('--check')) {
  let kept = '';
  try {
    kept = readFileSync(FILE, 'utf8');
  } catch {
    // A missing catalogue is a stale one.
  }
  if (kept !== text) {
    console.error('src/locales/en/messages.json is not current. Run: npm run messages');
    process.exit(1);
  }
} else {
  writeFileSync(FILE, text);
  say(`${found.size} messages`);
}
