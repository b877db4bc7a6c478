import { useQueries } from '@tanstack/react-query';
import { useCallback, useState } from 'react';
import type { AnswerOf, CommandName, RequestOf } from '../backend/backend';
import { useBackend } from '../backend/use';
import type { ApiError, TableQuery, TableSize } from '../contract/types';
import { type PagedTable, type TableOptions, useArranged } from './state';

/** Rows that cross at once: a few screens of them. */
const PAGE = 200;
/** How often what is in sight is read again, in milliseconds. */
const EVERY = 2_000;

/** The commands that answer with a part of a table. */
type PageCommand = {
  [K in CommandName]: RequestOf<K> extends TableQuery
    ? AnswerOf<K> extends { size: TableSize; rows: unknown[] }
      ? K
      : never
    : never;
}[CommandName];

type RowOf<K extends PageCommand> = AnswerOf<K>['rows'][number];

/** A table of which the core sends what is in sight, and whether it answered. */
export interface Pages<R, A> {
  table: PagedTable<R>;
  /** What came with the rows in sight, for what it says of all of them. */
  answer: A | undefined;
  /** Nothing came yet. */
  isPending: boolean;
  /** Why nothing came; what came before stays. */
  error: ApiError | null;
  refetch: () => void;
}

/** Reads the parts of a table that are in sight. An answer to filters that are gone is never shown: it has another key. */
export function usePages<K extends PageCommand>(
  command: K,
  options: TableOptions<RowOf<K>>,
): Pages<RowOf<K>, AnswerOf<K>> {
  const backend = useBackend();
  const arranged = useArranged<RowOf<K>>(options);
  const { filters, sort } = arranged.arrangement;
  const [sight, setSight] = useState<[number, number]>([0, 0]);
  const pages = [];
  for (let page = sight[0]; page <= sight[1]; page += 1) pages.push(page);
  const answers = useQueries({
    queries: pages.map((page) => {
      const query: TableQuery = { filters, sort, offset: page * PAGE, limit: PAGE };
      return {
        queryKey: [command, query],
        queryFn: () => backend.call(command, query as RequestOf<K>),
        refetchInterval: EVERY,
        refetchIntervalInBackground: true,
      };
    }),
  });
  const answered = answers.find((answer) => answer.data)?.data;
  const size: TableSize = answered?.size ?? { shown: 0, all: 0 };
  const failed = answers.find((answer) => answer.isError);
  const want = useCallback((first: number, last: number) => {
    const next: [number, number] = [
      Math.floor(first / PAGE),
      Math.floor(Math.max(first, last) / PAGE),
    ];
    setSight((now) => (now[0] === next[0] && now[1] === next[1] ? now : next));
  }, []);
  const at = (index: number): RowOf<K> | undefined => {
    const page = answers[Math.floor(index / PAGE) - sight[0]]?.data;
    return page?.rows[index % PAGE];
  };
  return {
    table: { ...arranged, paged: true, size, at, want },
    answer: answered,
    isPending: !answered && !failed,
    error: answered ? null : ((failed?.error as ApiError | undefined) ?? null),
    refetch: () => {
      for (const answer of answers) void answer.refetch();
    },
  };
}
