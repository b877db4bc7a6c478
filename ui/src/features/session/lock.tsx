/** The lock: the clock is the core's; the page says that somebody moved, and forgets everything when the core locks. */
import { LockSimpleIcon } from '@phosphor-icons/react';
import { type FormEvent, type ReactNode, useEffect, useMemo, useRef, useState } from 'react';
import { type Backend, asApiError, isApiError } from '../../backend/backend';
import { BackendProvider, makeQueryClient, useBackend, useRead } from '../../backend/use';
import type { ApiError, Session } from '../../contract/types';
import { Button } from '../../kit/button';
import { TextField } from '../../kit/field';
import { Mark } from '../../kit/mark';
import { t } from '../../kit/say';
import { Failure, InlineFailure, Waiting } from '../../kit/states';

/** Between two reports that somebody moved. The core counts no more of them. */
const REPORT_MS = 10_000;

/** The same backend, watched: whatever answers first that the console is locked, locks the page. */
export function watching(backend: Backend, onLocked: () => void): Backend {
  return {
    async call(name, request) {
      try {
        return await backend.call(name, request);
      } catch (error) {
        if (isApiError(error) && error.code === 'LOCKED') onLocked();
        throw error;
      }
    },
  };
}

/** Everything below is gone while the console is locked: what it drew, what it remembered, what it was asked. */
export function Lockable(props: { backend: Backend; children: ReactNode }) {
  const { backend } = props;
  const [locked, setLocked] = useState(false);
  // A cache for each side of the lock: an answer that comes late falls into the one that is gone.
  const [client, setClient] = useState(makeQueryClient);
  const live = useRef(client);
  const watched = useMemo(
    () =>
      watching(backend, () => {
        // What was asked before an earlier lock may be answered after it.
        if (live.current !== client) return;
        live.current = makeQueryClient();
        client.clear();
        setClient(live.current);
        setLocked(true);
      }),
    [backend, client],
  );
  const open = (session: Session | null) => {
    const fresh = makeQueryClient();
    if (session) fresh.setQueryData(['session_get', null], session);
    client.clear();
    live.current = fresh;
    setClient(fresh);
    setLocked(false);
  };
  return (
    <BackendProvider backend={locked ? backend : watched} client={client}>
      {locked ? <LockScreen onOpen={open} /> : props.children}
    </BackendProvider>
  );
}

/** Tells the core that somebody moves, and locks on Ctrl+L. Lives as long as somebody is signed in. */
export function useActivity(): void {
  const backend = useBackend();
  // Asked again and again, so that the page notices the lock wherever it is.
  useRead('session_clock', null, { every: 5_000 });
  useEffect(() => {
    let reported = 0;
    const moved = () => {
      const now = Date.now();
      if (now - reported < REPORT_MS) return;
      reported = now;
      backend.call('session_activity', null).catch(() => undefined);
    };
    const key = (event: KeyboardEvent) => {
      if ((event.ctrlKey || event.metaKey) && !event.shiftKey && event.key.toLowerCase() === 'l') {
        event.preventDefault();
        void lockNow(backend);
        return;
      }
      moved();
    };
    window.addEventListener('pointerdown', moved, true);
    window.addEventListener('pointermove', moved, true);
    window.addEventListener('wheel', moved, { capture: true, passive: true });
    window.addEventListener('keydown', key, true);
    return () => {
      window.removeEventListener('pointerdown', moved, true);
      window.removeEventListener('pointermove', moved, true);
      window.removeEventListener('wheel', moved, true);
      window.removeEventListener('keydown', key, true);
    };
  }, [backend]);
}

/** Locks now. The next answer of the core says LOCKED, which is what locks the page. */
export async function lockNow(backend: Backend): Promise<void> {
  await backend.call('session_lock', null).catch(() => undefined);
  await backend.call('session_get', null).catch(() => undefined);
}

/** What stands there while the console is locked: who was here, and their password. */
function LockScreen(props: { onOpen: (session: Session | null) => void }) {
  const backend = useBackend();
  const profiles = useRead('session_profiles', null);
  const [password, setPassword] = useState('');
  const [opening, setOpening] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  useEffect(() => {
    document.title = 'Countersign';
  }, []);
  const who = profiles.data?.profiles.find((one) => one.id === profiles.data?.locked);
  const missing = who?.needsPassword && password === '' ? t('Needs the password') : null;
  // Called here and not as a mutation: the query cache would keep the password.
  const unlock = async (event: FormEvent) => {
    event.preventDefault();
    if (!who || missing || opening) return;
    const typed = who.needsPassword ? password : null;
    setPassword('');
    setOpening(true);
    setError(null);
    try {
      props.onOpen(await backend.call('session_open', { profileId: who.id, password: typed }));
    } catch (thrown) {
      setError(asApiError(thrown));
      setOpening(false);
    }
  };
  const leave = async () => {
    await backend.call('session_close', null).catch(() => undefined);
    props.onOpen(null);
  };
  return (
    <main className="flex h-full flex-col items-center overflow-auto bg-canvas px-6 py-[12vh]">
      <div className="flex w-full max-w-md flex-col gap-4">
        <div className="flex items-center gap-3">
          <Mark />
          <div>
            <p className="font-semibold">Countersign</p>
            <p className="text-small text-ink3">{profiles.data?.database ?? ' '}</p>
          </div>
        </div>
        <div className="border border-line2 bg-surface p-5">
          <div className="flex items-center gap-3">
            <LockSimpleIcon size="1.25rem" aria-hidden="true" />
            <h1 className="text-title font-semibold">{t('Locked')}</h1>
          </div>
          <p className="mt-1 mb-4 text-ink2">
            {t(
              'Keys and connections of this console were dropped. What was open is shown again after the password.',
            )}
          </p>
          {profiles.isPending ? <Waiting what={t('Reading who works here')} /> : null}
          {profiles.isError ? (
            <Failure error={profiles.error} onRetry={() => void profiles.refetch()} />
          ) : null}
          {profiles.data ? (
            <form onSubmit={unlock} className="flex flex-col gap-3">
              {who ? (
                <p>
                  <span className="block font-semibold">{who.person}</span>
                  <span className="block text-small text-ink3">
                    {who.duty} <span className="font-mono">({who.login})</span>
                  </span>
                </p>
              ) : null}
              {who?.needsPassword ? (
                <TextField
                  label={t('Password of {login}', { login: who.login })}
                  type="password"
                  autoComplete="off"
                  value={password}
                  onChange={setPassword}
                  autoFocus
                />
              ) : who ? (
                <p className="text-small text-ink3">
                  {t('This is a demo: the settings of this machine hold the password.')}
                </p>
              ) : null}
              {error ? <InlineFailure error={error} /> : null}
              <div className="flex flex-wrap items-start gap-2">
                {who ? (
                  <Button
                    look="primary"
                    type="submit"
                    off={missing}
                    busy={opening ? t('Unlocking') : null}
                  >
                    {t('Unlock')}
                  </Button>
                ) : null}
                <Button onPress={() => void leave()}>{t('Switch person')}</Button>
              </div>
            </form>
          ) : null}
        </div>
      </div>
    </main>
  );
}
