import { cleanup, configure } from '@testing-library/react';
import { afterEach } from 'vitest';

afterEach(cleanup);

// Machines are busy: what is waited for has as long as a test may take, more or less.
configure({ asyncUtilTimeout: 8_000 });

// What the browser has and jsdom lacks.
Element.prototype.scrollIntoView ??= () => undefined;
globalThis.ResizeObserver ??= class {
  observe() {}
  unobserve() {}
  disconnect() {}
};
globalThis.CSS ??= {
  escape: (text: string) => text,
  supports: () => false,
} as unknown as typeof CSS;
