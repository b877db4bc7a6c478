import type { IntentRow } from '../../contract/types';
import { INTENT_TRANSITIONS } from '../../contract/states';
import { Amount, Asset } from '../../kit/amount';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { State, stateLook } from '../../kit/status';
import { dateTime, dayOf, zoneName } from '../../kit/time';
import type { Column } from '../../table/column';

/** Kinds of intents, as platforms write them. */
const KINDS = ['REGISTER', 'CLAIM', 'COMMERCE', 'PAYOUT'];

/** A kind of intent in a word. */
export function kindWord(kind: string): string {
  const words: Record<string, string> = {
    REGISTER: t('Registration'),
    CLAIM: t('Claim'),
    COMMERCE: t('Sale'),
    PAYOUT: t('Payout'),
  };
  return words[kind] ?? kind;
}

/** What is known of an intent in a row; every column can be filtered where the intents lie. */
export function intentColumns(zone: string): Column<IntentRow>[] {
  return [
    {
      id: 'createdAt',
      head: t('Written'),
      track: '12.5rem',
      cell: (row) => (
        <span className="whitespace-nowrap">
          {dateTime(row.createdAt, zone)}{' '}
          <span className="text-ink3">{zoneName(row.createdAt, zone)}</span>
        </span>
      ),
      compare: (a, b) => a.createdAt.localeCompare(b.createdAt),
      text: (row) => row.createdAt,
      filter: { kind: 'day', of: (row) => dayOf(row.createdAt, zone) },
    },
    {
      id: 'kind',
      head: t('Kind'),
      track: '7rem',
      cell: (row) => kindWord(row.kind),
      text: (row) => row.kind,
      filter: { kind: 'choice', of: (row) => [row.kind], word: kindWord, values: KINDS },
    },
    {
      id: 'key',
      head: t('Key of the platform'),
      track: 'minmax(13rem, 1fr)',
      cell: (row) => (
        <TextLink
          to="/intents/$id"
          params={{ id: row.id }}
          className="truncate font-mono text-small text-ink"
          tabIndex={-1}
          title={row.key}
        >
          {row.key}
        </TextLink>
      ),
      text: (row) => row.key,
      filter: { kind: 'text', of: (row) => row.key },
    },
    {
      id: 'money',
      head: t('Settled'),
      track: '11rem',
      end: true,
      cell: (row) =>
        row.money ? (
          <Amount value={row.money.amount} decimals={row.money.asset.decimals} slot={6} cut={6} />
        ) : null,
      compare: () => 0,
      text: (row) => row.money?.amount ?? '',
      filter: { kind: 'amount', of: (row) => row.money?.amount ?? null },
    },
    {
      id: 'asset',
      head: t('Asset'),
      track: '4.5rem',
      cell: (row) => (row.money ? <Asset asset={row.money.asset} /> : null),
      text: (row) => row.money?.asset.symbol ?? '',
      filter: { kind: 'text', of: (row) => row.money?.asset.symbol ?? '' },
    },
    {
      id: 'state',
      head: t('State'),
      track: 'minmax(12rem, 20rem)',
      cell: (row) => (
        <span className="min-w-0">
          <State state={row.state} />
          {row.error ? (
            <span className="block truncate pl-5.5 text-small text-ink3" title={row.error}>
              {row.error}
            </span>
          ) : null}
        </span>
      ),
      text: (row) => stateLook(row.state).word,
      filter: {
        kind: 'choice',
        of: (row) => [row.state],
        word: (state) => stateLook(state).word,
        values: Object.keys(INTENT_TRANSITIONS),
      },
    },
    {
      id: 'attempts',
      head: t('Attempts'),
      track: '5.5rem',
      end: true,
      cell: (row) => row.attempts,
      compare: (a, b) => a.attempts - b.attempts,
      text: (row) => String(row.attempts),
      filter: { kind: 'amount', of: (row) => String(row.attempts) },
    },
    {
      id: 'error',
      head: t('Why not'),
      track: '16rem',
      cell: (row) => <span className="truncate">{row.error}</span>,
      text: (row) => row.error ?? '',
      filter: { kind: 'text', of: (row) => row.error ?? '' },
    },
  ];
}
