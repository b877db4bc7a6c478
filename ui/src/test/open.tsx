import { createMemoryHistory } from '@tanstack/react-router';
import { render, screen } from '@testing-library/react';
import userEvent from '@testing-library/user-event';
import { App } from '../app';
import type { Backend, CommandName, RequestOf } from '../backend/backend';
import { type FakeOptions, makeFake } from '../backend/fake/fake';

/** A call that a screen made. */
export interface Call {
  name: CommandName;
  request: RequestOf<CommandName>;
}

/** Batch 147 of the made-up backend: it waits for its second approval. */
export const OPEN_BATCH = '/batches/0193b000-0000-7000-8000-000000000147';

/** Opens the window at an address over a made-up backend, and records what it asks for. */
export function open(path: string, options: FakeOptions = {}) {
  const calls: Call[] = [];
  const fake = makeFake(options);
  const backend: Backend = {
    call(name, request) {
      calls.push({ name, request });
      return fake.call(name, request);
    },
  };
  const history = createMemoryHistory({ initialEntries: [path] });
  const view = render(<App backend={backend} history={history} />);
  return { ...view, calls, history, user: userEvent.setup() };
}

/** A button by what it says. */
export function button(name: string | RegExp): Promise<HTMLElement> {
  return screen.findByRole('button', { name });
}

/** The sentence that a control points to as its description. */
export function reasonOf(element: HTMLElement): string {
  const ids = element.getAttribute('aria-describedby')?.split(' ') ?? [];
  return ids.map((id) => document.getElementById(id)?.textContent ?? '').join(' ');
}
