import { Navigate, Outlet, useRouter, useRouterState } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import { useRead } from '../backend/use';
import type { Link } from '../contract/types';
import { FreezeDialog } from '../features/freeze/dialog';
import { useActivity } from '../features/session/lock';
import { SessionProvider } from '../features/session/session';
import { t } from '../kit/say';
import { ServerProvider, useServerOff } from '../kit/server';
import { isTyping, somethingIsOpen } from '../kit/keys';
import { setPrefs, stepZoom } from '../kit/prefs';
import { Failure, Waiting } from '../kit/states';
import { KeepTables } from '../table/state';
import { OfflineBanner, offlineReason, useReadAgain } from './offline';
import { Palette } from './palette';
import { Rail } from './rail';
import { useScreenInfo } from './screen';
import { StatusBar } from './statusbar';
import { TopBar } from './topbar';

/** Asks who works before anything else is drawn. */
export function Signed() {
  const session = useRead('session_get', null, { every: 2_000 });
  if (session.isError && session.error.code === 'NOT_SIGNED_IN') return <Navigate to="/login" />;
  if (session.isError && !session.data) {
    return (
      <Failure
        error={session.error}
        title={t('The program could not be opened')}
        onRetry={() => void session.refetch()}
      />
    );
  }
  if (!session.data) return <Waiting what={t('Opening the program')} />;
  return (
    <SessionProvider value={session.data}>
      <ServerProvider value={offlineReason(session.data.link)}>
        <KeepTables key={session.data.login}>
          <Watched link={session.data.link.state} />
        </KeepTables>
      </ServerProvider>
    </SessionProvider>
  );
}

/** Every screen of a signed-in person, with what locks it. */
function Watched(props: { link: Link['state'] }) {
  useActivity();
  useReadAgain(props.link);
  return <Outlet />;
}

/** Keys of the whole window. None of them approves, signs or sends anything. */
function useKeys(onPalette: () => void): void {
  const router = useRouter();
  useEffect(() => {
    const down = (event: KeyboardEvent) => {
      const command = event.ctrlKey || event.metaKey;
      if (command && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        onPalette();
      } else if (command && (event.key === '+' || event.key === '=')) {
        event.preventDefault();
        stepZoom(1);
      } else if (command && event.key === '-') {
        event.preventDefault();
        stepZoom(-1);
      } else if (command && event.key === '0') {
        event.preventDefault();
        setPrefs({ zoom: 100 });
      } else if (
        event.key === 'Escape' &&
        !event.defaultPrevented &&
        !isTyping(event.target) &&
        !somethingIsOpen()
      ) {
        router.history.back();
      }
    };
    window.addEventListener('keydown', down);
    return () => window.removeEventListener('keydown', down);
  }, [router, onPalette]);
}

/** The window around every screen but signing and logging in. */
export function Shell() {
  const [palette, setPalette] = useState(false);
  const [freeze, setFreeze] = useState(false);
  const session = useRead('session_get', null);
  const { freeze: target } = useScreenInfo();
  useKeys(() => setPalette(true));
  const content = useRef<HTMLElement>(null);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const before = useRef(path);
  // Whoever works by keyboard goes on where the new screen begins, not where a gone link was.
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    if (document.activeElement === document.body) content.current?.focus({ preventScroll: true });
  }, [path]);
  const may = session.data?.permissions.includes('operate') ?? false;
  const serverOff = useServerOff();
  return (
    <div className="@container/window flex h-full flex-col">
      <button
        type="button"
        onClick={() => content.current?.focus()}
        className="sr-only z-50 bg-surface px-3 py-1 text-accent focus:not-sr-only focus:absolute"
      >
        {t('To the content')}
      </button>
      <div className="flex min-h-0 flex-1">
        <Rail />
        <div className="flex min-w-0 flex-1 flex-col">
          <TopBar
            onPalette={() => setPalette(true)}
            onFreeze={() => setFreeze(true)}
            freezeOff={may ? null : t('Freezing needs the permission "operate"')}
          />
          <OfflineBanner />
          <main
            id="content"
            ref={content}
            tabIndex={-1}
            className="outline-none @container flex min-h-0 flex-1 flex-col overflow-auto bg-surface"
          >
            <Outlet />
          </main>
        </div>
      </div>
      <StatusBar />
      <Palette
        open={palette}
        onClose={() => setPalette(false)}
        onFreeze={may && !serverOff ? () => setFreeze(true) : null}
      />
      <FreezeDialog open={freeze} onClose={() => setFreeze(false)} target={target} />
    </div>
  );
}
