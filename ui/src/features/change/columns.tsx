import type { ChangeRow, ChangeState } from '../../contract/types';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Status } from '../../kit/status';
import { dayOf } from '../../kit/time';
import { When } from '../../kit/when';
import type { Column } from '../../table/column';
import { CHANGE_KINDS, changeLook, changeWord } from './words';

const STATES: ChangeState[] = ['WAITING', 'CONFIRMED', 'WITHDRAWN'];

/** What is known of a change in a row. */
export function changeColumns(zone: string): Column<ChangeRow>[] {
  return [
    {
      id: 'kind',
      head: t('Change'),
      track: 'minmax(18rem, 1fr)',
      cell: (row) => (
        <span className="flex min-w-0 flex-col">
          <TextLink
            to="/changes/$id"
            params={{ id: row.id }}
            className="block truncate font-semibold text-ink"
            tabIndex={-1}
          >
            {row.subject || changeWord(row.kind)}
          </TextLink>
          <span className="block truncate text-small text-ink3">
            {changeWord(row.kind)}
            {row.isOfHouse ? ` · ${t('whole house')}` : ''}
          </span>
        </span>
      ),
      compare: (a, b) => a.kind.localeCompare(b.kind),
      text: (row) => `${row.kind} ${row.subject}`.trim(),
      filter: { kind: 'choice', of: (row) => [row.kind], word: changeWord, values: CHANGE_KINDS },
    },
    {
      id: 'state',
      head: t('State'),
      track: 'minmax(15rem, 18rem)',
      cell: (row) => {
        const look = changeLook(row.state);
        return (
          <span className="flex min-w-0 flex-col">
            <Status shape={look.shape}>{look.word}</Status>
            {row.waitsForMe ? (
              <span className="block pl-5.5 text-small text-accent">{t('You can confirm it')}</span>
            ) : null}
          </span>
        );
      },
      compare: (a, b) => STATES.indexOf(a.state) - STATES.indexOf(b.state),
      text: (row) => changeLook(row.state).word,
      filter: {
        kind: 'choice',
        of: (row) => [row.state],
        word: (state) => changeLook(state as ChangeState).word,
        values: STATES,
      },
    },
    {
      id: 'proposer',
      head: t('Proposed by'),
      track: 'minmax(9rem, 13rem)',
      cell: (row) => <span className="truncate">{row.proposer}</span>,
      compare: (a, b) => a.proposer.localeCompare(b.proposer),
      text: (row) => row.proposer,
      filter: { kind: 'text', of: (row) => row.proposer },
    },
    {
      id: 'proposedAt',
      head: t('Proposed'),
      track: '12.5rem',
      cell: (row) => <When at={row.proposedAt} zone={zone} />,
      compare: (a, b) => a.proposedAt.localeCompare(b.proposedAt),
      text: (row) => row.proposedAt,
      filter: { kind: 'day', of: (row) => dayOf(row.proposedAt, zone) },
    },
    {
      id: 'confirmer',
      head: t('Decided by'),
      track: 'minmax(9rem, 13rem)',
      cell: (row) => <span className="truncate">{row.decider}</span>,
      compare: (a, b) => (a.decider ?? '').localeCompare(b.decider ?? ''),
      text: (row) => row.decider ?? '',
      filter: { kind: 'text', of: (row) => row.decider ?? '' },
    },
    {
      id: 'decidedAt',
      head: t('Decided'),
      track: '12.5rem',
      cell: (row) => (row.decidedAt ? <When at={row.decidedAt} zone={zone} /> : null),
      compare: (a, b) => (a.decidedAt ?? '').localeCompare(b.decidedAt ?? ''),
      text: (row) => row.decidedAt ?? '',
      filter: { kind: 'day', of: (row) => (row.decidedAt ? dayOf(row.decidedAt, zone) : '') },
    },
    {
      id: 'text',
      head: t('Signed text'),
      track: '16rem',
      cell: (row) => <span className="truncate">{row.subject}</span>,
      text: (row) => row.subject,
      filter: { kind: 'text', of: (row) => row.subject },
    },
  ];
}
