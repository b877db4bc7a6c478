/**
 * The one way to the core. Screens know this interface and nothing of how a call travels; only
 * this folder speaks to Tauri or to HTTP.
 */
import type { Commands } from '../contract/commands';
import type { ApiError, ErrorCode } from '../contract/types';

export type CommandName = keyof Commands;
export type RequestOf<K extends CommandName> = Commands[K]['request'];
export type AnswerOf<K extends CommandName> = Commands[K]['answer'];

/** Answers a command, or rejects with an `ApiError`. */
export interface Backend {
  call<K extends CommandName>(name: K, request: RequestOf<K>): Promise<AnswerOf<K>>;
}

const CODES: readonly ErrorCode[] = [
  'NOT_SIGNED_IN',
  'LOCKED',
  'FORBIDDEN',
  'CONFLICT',
  'INVALID_INPUT',
  'UNAVAILABLE',
  'INCIDENT',
  'CANCELLED',
  'INTERNAL',
];

/** Whether something thrown is an error of the contract. */
export function isApiError(value: unknown): value is ApiError {
  if (typeof value !== 'object' || value === null) return false;
  const { code, message } = value as Record<string, unknown>;
  return typeof message === 'string' && CODES.some((known) => known === code);
}

/** Any thrown thing as an error of the contract, so that screens switch on one type. */
export function asApiError(value: unknown): ApiError {
  if (isApiError(value)) return value;
  const message = value instanceof Error ? value.message : String(value);
  return { code: 'INTERNAL', message, reference: null };
}
