import { useEffect, useRef, useState } from 'react';
import { useQueryClient } from '@tanstack/react-query';
import { useDo } from '../backend/use';
import type { Link } from '../contract/types';
import { useSession } from '../features/session/session';
import { Button } from '../kit/button';
import { Dialog, DialogFoot } from '../kit/dialog';
import { t } from '../kit/say';
import { StatusIcon } from '../kit/status';
import { dayOf, hourMinute, span, zoneName } from '../kit/time';

/** The age of a minute is told by the minute. */
const TICK_MS = 10_000;

/** Why nothing can be written now; null while the shared database answers. */
export function offlineReason(link: Link): string | null {
  return link.state === 'OFFLINE' ? t('Needs the shared database, which does not answer') : null;
}

/** Screens read again when the shared database goes or comes: what they may show and do is something else then. */
export function useReadAgain(state: Link['state']): void {
  const client = useQueryClient();
  const before = useRef(state);
  useEffect(() => {
    if (before.current === state) return;
    before.current = state;
    void client.invalidateQueries();
  }, [client, state]);
}

function useNow(): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MS);
    return () => clearInterval(timer);
  }, []);
  return now;
}

/** While the shared database does not answer: how old everything on screen is, and what to do. */
export function OfflineBanner() {
  const { link } = useSession();
  if (link.state !== 'OFFLINE') return null;
  return <Banner link={link} />;
}

function Banner(props: { link: Link }) {
  const { link } = props;
  const zone = useSession().program.timeZone;
  const now = useNow();
  const [open, setOpen] = useState(false);
  const retry = useDo('session_reconnect');
  const at = link.dataAt ?? link.since;
  const time = hourMinute(at, zone);
  const today = dayOf(at, zone) === dayOf(new Date(now).toISOString(), zone);
  return (
    <section
      aria-label={t('Offline')}
      className="flex min-h-9 shrink-0 flex-wrap items-center gap-x-3 gap-y-1 border-b border-warn bg-warn-soft px-4 py-1"
    >
      <StatusIcon shape="missing" tone="warn" size={16} />
      <p role="status" className="min-w-0 flex-1">
        <strong className="font-semibold">
          {t('Offline: data of {time} {zone}, {age} old.', {
            time: today ? time : `${dayOf(at, zone)} ${time}`,
            zone: zoneName(at, zone),
            age: span(now - new Date(at).getTime()),
          })}
        </strong>{' '}
        {t('Reading and search go on; nothing can be written.')}
      </p>
      <span className="flex items-center gap-2">
        <Button look="quiet" onPress={() => setOpen(true)}>
          {t('What is disabled')}
        </Button>
        <Button onPress={() => retry.mutate(null)} busy={retry.isPending ? t('Asking') : null}>
          {t('Try again')}
        </Button>
      </span>
      <Dialog title={t('Without the shared database')} open={open} onClose={() => setOpen(false)}>
        <p>{link.reason}</p>
        <ul className="list-disc pl-5 text-ink2">
          <li>
            {t(
              'Off: submitting, approving, signing and sending batches, freezing, and every other change.',
            )}
          </li>
          <li>
            {t('Off: what is asked of the chain, and screens that are not in the local copy yet.')}
          </li>
          <li>
            {t('Works: reading and searching what is in the local copy, and signing a batch file.')}
          </li>
        </ul>
        <p className="text-ink2">
          {t(
            'Nothing is kept to be done later. The console asks again by itself and goes on when there is an answer.',
          )}
        </p>
        <DialogFoot>
          <Button onPress={() => setOpen(false)} safe>
            {t('Close')}
          </Button>
        </DialogFoot>
      </Dialog>
    </section>
  );
}
