import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import './styles/index.css';
import { App } from './app';
import type { Backend } from './backend/backend';
import { startCopy } from './kit/copy';
import { startPrefs } from './kit/prefs';

/** Draws the window. */
export function start(backend: Backend): void {
  startPrefs();
  startCopy();
  const root = document.getElementById('root');
  if (!root) throw new Error('the page has no element with the id "root"');
  createRoot(root).render(
    <StrictMode>
      <App backend={backend} />
    </StrictMode>,
  );
}
