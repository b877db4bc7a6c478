import { type Backend, asApiError, isApiError } from './backend';

/** In a browser: the same commands over the origin that served the page. */
export const httpBackend: Backend = {
  async call(name, request) {
    let answer: Response;
    try {
      answer = await fetch(`/rpc/${name}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(request),
      });
    } catch {
      throw {
        code: 'UNAVAILABLE',
        message: 'The server does not answer. Start it, then read again.',
        reference: null,
      };
    }
    const text = await answer.text();
    let body: unknown;
    try {
      body = text === '' ? null : JSON.parse(text);
    } catch {
      throw asApiError(`The server answered ${answer.status} with something that is not JSON.`);
    }
    if (!answer.ok) {
      throw isApiError(body) ? body : asApiError(`The server answered ${answer.status}.`);
    }
    return body as never;
  },
};
