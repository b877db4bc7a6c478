import type { AuditRow } from '../../contract/types';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Status } from '../../kit/status';
import { clock, countText, dateTime, dayOf, zoneName } from '../../kit/time';
import type { Column } from '../../table/column';
import { actionWord, spaced } from './words';

/** What is known of an entry in a row. */
export function auditColumns(zone: string): Column<AuditRow>[] {
  return [
    {
      id: 'at',
      head: t('When'),
      track: '13.5rem',
      cell: (row) => (
        <span className="whitespace-nowrap" title={row.at}>
          {dateTime(row.at, zone).slice(0, -5)}
          {clock(row.at, zone)} <span className="text-ink3">{zoneName(row.at, zone)}</span>
        </span>
      ),
      compare: (a, b) => a.at.localeCompare(b.at),
      text: (row) => row.at,
      filter: { kind: 'day', of: (row) => dayOf(row.at, zone) },
    },
    {
      id: 'person',
      head: t('Who'),
      track: 'minmax(8rem, 11rem)',
      cell: (row) => (
        <span className="truncate" title={row.login}>
          {row.person}
        </span>
      ),
      compare: (a, b) => a.person.localeCompare(b.person),
      text: (row) => row.person,
      filter: { kind: 'text', of: (row) => `${row.person} ${row.login}` },
    },
    {
      id: 'action',
      head: t('What'),
      track: 'minmax(11rem, 14rem)',
      cell: (row) => (
        <TextLink
          to="/audit/$id"
          params={{ id: row.id }}
          className="truncate font-semibold text-ink"
          tabIndex={-1}
          title={row.action}
        >
          {actionWord(row.action)}
        </TextLink>
      ),
      compare: (a, b) => a.action.localeCompare(b.action),
      text: (row) => row.action,
      filter: { kind: 'text', of: (row) => row.action },
    },
    {
      id: 'noun',
      head: t('Kind of thing'),
      track: 'minmax(8rem, 10rem)',
      cell: (row) => <span className="truncate text-ink2">{spaced(row.noun)}</span>,
      compare: (a, b) => a.noun.localeCompare(b.noun),
      text: (row) => row.noun,
      filter: { kind: 'text', of: (row) => row.noun },
    },
    {
      id: 'subject',
      head: t('About'),
      track: 'minmax(14rem, 1fr)',
      cell: (row) => (
        <span className="truncate" title={row.about ?? ''}>
          {row.about}
          {row.isOfHouse ? <span className="text-ink3"> {t('whole house')}</span> : null}
        </span>
      ),
      text: (row) => row.about ?? '',
    },
    {
      id: 'seq',
      head: t('Seal'),
      track: '7rem',
      end: true,
      cell: (row) =>
        row.seq ? (
          <span className="text-ink2">{countText(row.seq)}</span>
        ) : (
          <Status shape="pending" tone="muted">
            {t('not yet')}
          </Status>
        ),
      compare: (a, b) => Number(a.seq ?? 0) - Number(b.seq ?? 0),
      text: (row) => row.seq ?? '',
      filter: { kind: 'amount', of: (row) => row.seq },
    },
    {
      id: 'about',
      head: t('Id of the thing'),
      track: '16rem',
      cell: () => null,
      filter: { kind: 'text', of: (row) => row.about ?? '' },
    },
    {
      id: 'text',
      head: t('Before or after'),
      track: '16rem',
      cell: () => null,
      filter: { kind: 'text', of: (row) => row.about ?? '' },
    },
  ];
}
