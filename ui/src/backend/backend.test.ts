import { mockIPC } from '@tauri-apps/api/mocks';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { asApiError, isApiError } from './backend';
import { httpBackend } from './http';
import { tauriBackend } from './tauri';

const REFUSAL = { code: 'FORBIDDEN', message: 'You prepared it; others approve.', reference: null };

function answers(status: number, body: string): void {
  vi.stubGlobal(
    'fetch',
    vi.fn(async () => new Response(body, { status })),
  );
}

afterEach(() => vi.unstubAllGlobals());

describe('asApiError', () => {
  it('keeps an error of the contract', () => {
    expect(asApiError(REFUSAL)).toBe(REFUSAL);
    expect(isApiError({ code: 'OTHER', message: 'x' })).toBe(false);
  });
  it('makes one of anything else', () => {
    expect(asApiError(new Error('broken'))).toEqual({
      code: 'INTERNAL',
      message: 'broken',
      reference: null,
    });
    expect(asApiError('x').code).toBe('INTERNAL');
  });
});

describe('over HTTP', () => {
  it('posts the request to the command', async () => {
    answers(200, '{"id":"1"}');
    await expect(httpBackend.call('reconciliation_run', null)).resolves.toEqual({ id: '1' });
    expect(fetch).toHaveBeenCalledWith(
      '/rpc/reconciliation_run',
      expect.objectContaining({ method: 'POST', body: 'null' }),
    );
  });
  it('takes an empty answer as nothing', async () => {
    answers(200, '');
    await expect(httpBackend.call('session_close', null)).resolves.toBeNull();
  });
  it('rejects with the error of the contract', async () => {
    answers(403, JSON.stringify(REFUSAL));
    await expect(httpBackend.call('home_get', null)).rejects.toEqual(REFUSAL);
  });
  it('says so when the answer is not of the contract', async () => {
    answers(502, '<html>');
    await expect(httpBackend.call('home_get', null)).rejects.toMatchObject({ code: 'INTERNAL' });
    answers(500, '{}');
    await expect(httpBackend.call('home_get', null)).rejects.toMatchObject({
      message: 'The server answered 500.',
    });
  });
  it('says so when nobody answers', async () => {
    vi.stubGlobal(
      'fetch',
      vi.fn(async () => Promise.reject(new TypeError('refused'))),
    );
    await expect(httpBackend.call('home_get', null)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  });
});

describe('in the window', () => {
  it('passes one argument named request', async () => {
    const seen: unknown[] = [];
    mockIPC((name, payload) => {
      seen.push([name, payload]);
      return { id: '1' };
    });
    await expect(tauriBackend.call('batch_submit', { id: 'b' })).resolves.toEqual({ id: '1' });
    expect(seen).toEqual([['batch_submit', { request: { id: 'b' } }]]);
  });
  it('rejects with the error of the contract', async () => {
    mockIPC(() => {
      throw REFUSAL;
    });
    await expect(tauriBackend.call('home_get', null)).rejects.toEqual(REFUSAL);
  });
});
