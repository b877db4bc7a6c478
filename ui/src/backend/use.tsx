/** Commands as queries and mutations. */
import {
  QueryCache,
  QueryClient,
  QueryClientProvider,
  useMutation,
  useQuery,
  useQueryClient,
} from '@tanstack/react-query';
import { type ReactNode, createContext, useContext } from 'react';
import type { ApiError } from '../contract/types';
import {
  type AnswerOf,
  type Backend,
  type CommandName,
  type RequestOf,
  isApiError,
} from './backend';

const BackendContext = createContext<Backend | null>(null);

/** One cache per window. A late answer to an old key never replaces a newer one: keys differ. */
export function makeQueryClient(): QueryClient {
  const client = new QueryClient({
    queryCache: new QueryCache({
      // A session that has ended is noticed by whichever screen asks first.
      onError: (error, query) => {
        if (
          isApiError(error) &&
          error.code === 'NOT_SIGNED_IN' &&
          query.queryKey[0] !== 'session_get'
        ) {
          void client.invalidateQueries({ queryKey: ['session_get'] });
        }
      },
    }),
    defaultOptions: {
      queries: {
        retry: (failures, error) =>
          failures < 1 && isApiError(error) && error.code === 'UNAVAILABLE',
        staleTime: 2_000,
        refetchOnWindowFocus: true,
        networkMode: 'always',
      },
      mutations: { retry: false, networkMode: 'always' },
    },
  });
  return client;
}

export function BackendProvider(props: {
  backend: Backend;
  client: QueryClient;
  children: ReactNode;
}) {
  return (
    <BackendContext value={props.backend}>
      <QueryClientProvider client={props.client}>{props.children}</QueryClientProvider>
    </BackendContext>
  );
}

export function useBackend(): Backend {
  const backend = useContext(BackendContext);
  if (!backend) throw new Error('no backend above this component');
  return backend;
}

/** Reads by a command; `every` polls, `fresh` says how long an answer is good for; both in milliseconds. */
export function useRead<K extends CommandName>(
  name: K,
  request: RequestOf<K>,
  options: { every?: number | false; fresh?: number; enabled?: boolean; keep?: boolean } = {},
) {
  const backend = useBackend();
  return useQuery<AnswerOf<K>, ApiError>({
    queryKey: [name, request],
    queryFn: () => backend.call(name, request),
    enabled: options.enabled ?? true,
    ...(options.fresh === undefined ? {} : { staleTime: options.fresh }),
    refetchInterval: options.every ?? false,
    refetchIntervalInBackground: true,
  });
}

/** Does by a command; whatever was read before is read again afterwards. */
export function useDo<K extends CommandName>(
  name: K,
  options: { onDone?: (answer: AnswerOf<K>) => void } = {},
) {
  const backend = useBackend();
  const client = useQueryClient();
  return useMutation<AnswerOf<K>, ApiError, RequestOf<K>>({
    mutationFn: (request) => backend.call(name, request),
    onSuccess: async (answer) => {
      options.onDone?.(answer);
      await client.invalidateQueries();
    },
  });
}
