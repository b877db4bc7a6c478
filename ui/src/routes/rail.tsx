import { CircleHalfIcon, MoonIcon, SunIcon } from '@phosphor-icons/react';
import { Link } from '@tanstack/react-router';
import { Button as AriaButton } from 'react-aria-components';
import { useRead } from '../backend/use';
import type { TableQuery } from '../contract/types';
import { initials, useSession } from '../features/session/session';
import { Mark } from '../kit/mark';
import { type Prefs, setPrefs, usePrefs } from '../kit/prefs';
import { t } from '../kit/say';
import { type Place, placeGroups } from './nav';

const NEXT_THEME: Record<Prefs['theme'], Prefs['theme']> = {
  system: 'light',
  light: 'dark',
  dark: 'system',
};

function ThemeToggle() {
  const { theme } = usePrefs();
  const words = { system: t('as the system'), light: t('light'), dark: t('dark') };
  const Icon = theme === 'system' ? CircleHalfIcon : theme === 'light' ? SunIcon : MoonIcon;
  return (
    <AriaButton
      aria-label={t('Colours: {theme}. Change', { theme: words[theme] })}
      onPress={() => setPrefs({ theme: NEXT_THEME[theme] })}
      className="flex size-7 shrink-0 items-center justify-center rounded-ctl text-ink3 hover:bg-line hover:text-ink"
    >
      <Icon size="1rem" aria-hidden="true" />
    </AriaButton>
  );
}

function RailLink(props: { place: Place; count: number }) {
  const { place } = props;
  const Icon = place.icon;
  return (
    <Link
      to={place.to}
      activeOptions={{ exact: place.to === '/', includeSearch: false }}
      title={place.label}
      className="flex min-h-8 items-center gap-3 rounded-ctl border border-transparent px-2 text-ink2 -outline-offset-2 hover:bg-line/60 @max-[68rem]/window:justify-center data-[status=active]:border-line2 data-[status=active]:bg-surface data-[status=active]:font-semibold data-[status=active]:text-ink data-[status=active]:shadow-[inset_3px_0_0_var(--accent)]"
    >
      <Icon size="1rem" aria-hidden="true" className="shrink-0" />
      <span className="flex-1 @max-[68rem]/window:sr-only">{place.label}</span>
      {props.count > 0 ? (
        <span className="text-small font-normal text-ink3 @max-[68rem]/window:sr-only">
          {props.count}
          <span className="sr-only"> {t('waiting')}</span>
        </span>
      ) : null}
    </Link>
  );
}

/** Changes that wait for a second person: as many as a rail has to count. */
const WAITING: TableQuery = {
  filters: [{ column: 'state', test: 'is', values: ['WAITING'] }],
  sort: null,
  offset: 0,
  limit: 100,
};

/** The rail: the program, the places, the person. */
export function Rail() {
  const session = useSession();
  const batches = useRead('batch_list', null, { every: 15_000 });
  const runs = useRead('reconciliation_list', null);
  const changes = useRead('change_list', WAITING, { every: 15_000 });
  const counts = {
    changes: (changes.data?.rows ?? []).filter((row) => row.waitsForMe).length,
    batches: (batches.data ?? []).filter((batch) => batch.waitsForMe).length,
    discrepancies: runs.data?.[0]?.open ?? 0,
  };
  const { program } = session;
  const status =
    { ACTIVE: t('active'), PAUSED: t('paused'), CLOSED: t('closed') }[program.status] ??
    program.status;
  return (
    <nav
      aria-label={t('Main')}
      className="flex w-50 shrink-0 flex-col overflow-y-auto border-r border-line2 bg-canvas px-2 py-2.5 @max-[68rem]/window:w-14"
    >
      <div className="flex items-center gap-2.5 px-1.5 pb-3">
        <Mark />
        <div className="min-w-0 @max-[68rem]/window:sr-only">
          <p className="truncate font-semibold" title={program.name}>
            {program.name}
          </p>
          <p className="text-small text-ink3">
            {t('Program')} · {status}
          </p>
        </div>
      </div>
      {placeGroups().map((group) => (
        <div key={group.label ?? 'top'} className="mb-3">
          {group.label ? (
            <p className="px-2 pb-1 text-small text-ink3 @max-[68rem]/window:sr-only">
              {group.label}
            </p>
          ) : null}
          {group.places.map((place) => (
            <RailLink
              key={place.to}
              place={place}
              count={place.counts ? counts[place.counts] : 0}
            />
          ))}
        </div>
      ))}
      <div className="mt-auto flex items-center gap-1 border-t border-line2 pt-2 @max-[68rem]/window:flex-col">
        <Link
          to="/login"
          className="flex min-w-0 flex-1 items-center gap-2.5 rounded-ctl px-1.5 py-1 hover:bg-line/60"
          title={t('Switch person')}
        >
          <span
            aria-hidden="true"
            className="flex size-7 shrink-0 items-center justify-center rounded-ctl border border-line2 bg-sunk text-small font-semibold text-ink2"
          >
            {initials(session.person)}
          </span>
          <span className="min-w-0 @max-[68rem]/window:sr-only">
            <span className="block truncate font-semibold">{session.person}</span>
            <span className="block truncate text-small text-ink3">
              {session.roles.join(', ')}
              {session.ownerAddress ? ` · ${t('owner key')}` : ''}
            </span>
          </span>
          <span className="sr-only">{t('Switch person')}</span>
        </Link>
        <ThemeToggle />
      </div>
    </nav>
  );
}
