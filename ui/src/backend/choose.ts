import type { Backend } from './backend';
import { httpBackend } from './http';
import { tauriBackend } from './tauri';

/** The window has Tauri's internals; a browser does not. */
export function chooseBackend(): Backend {
  return '__TAURI_INTERNALS__' in window ? tauriBackend : httpBackend;
}
