import { invoke } from '@tauri-apps/api/core';
import { type Backend, asApiError } from './backend';

/** In the window: every command takes one argument named `request`. */
export const tauriBackend: Backend = {
  async call(name, request) {
    try {
      return await invoke(name, { request });
    } catch (error) {
      throw asApiError(error);
    }
  },
};
