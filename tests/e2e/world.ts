import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { FullConfig } from '@playwright/test';

// The real core under the browser: a private database, a local chain with a Safe, workers, and the
// commands of the console over HTTP. Everything lives in one temporary folder and ends with the run.

const programs = process.env.CARGO_TARGET_DIR ? join(process.env.CARGO_TARGET_DIR, 'debug') : join(import.meta.dirname, '../../target/debug');
const READY_MS_MAX = 180_000;

/** Starts a program and waits until a line of its output says that it is ready; answers what the line names. */
async function started(name: string, args: string[], ready: RegExp): Promise<{ child: ChildProcess; said: string }> {
  const child = spawn(join(programs, name), args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const said = await new Promise<string>((resolve, reject) => {
    const late = setTimeout(() => reject(new Error(`${name} was not ready within ${READY_MS_MAX / 1000} s`)), READY_MS_MAX);
    child.once('error', (error) => reject(new Error(`${name} cannot be started from ${programs}: ${error.message}. Build it first`)));
    child.once('exit', (code) => reject(new Error(`${name} ended with ${code} before it was ready`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = ready.exec(line);
      if (found) {
        clearTimeout(late);
        resolve(found[1] ?? '');
      }
    });
  });
  child.removeAllListeners('exit');
  return { child, said };
}

/** Ends a program as Ctrl-C would, and waits for it. */
async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGINT');
  await gone;
}

export default async function world(_: FullConfig): Promise<() => Promise<void>> {
  // Below /tmp, because a database that is started by root runs as another user who must reach it.
  const folder = mkdtempSync(join(tmpdir(), 'countersign-e2e-'));
  const demo = await started('countersign', ['demo', '--serve', '--dir', folder], /^ready (.*)$/);
  const server = await started(
    'countersign-devserver',
    [
      '--settings', join(folder, 'console.toml'),
      '--listen', '127.0.0.1:0',
      '--static', join(import.meta.dirname, '../../ui/dist'),
      '--choose-file', join(folder, 'files/cow-solver-payouts-2023-02-14.csv'),
      '--save-folder', join(folder, 'files'),
    ],
    /^listening on (.*)$/,
  ).catch(async (error: unknown) => {
    // What was started before the failure ends with it.
    await ended(demo.child);
    throw error;
  });
  // The workers that run the specs read it when they load the configuration.
  process.env.BASE_URL = server.said;
  return async () => {
    await ended(server.child);
    await ended(demo.child);
    rmSync(folder, { recursive: true, force: true });
  };
}
