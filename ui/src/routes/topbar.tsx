import { ArrowLeftIcon, ArrowRightIcon, MagnifyingGlassIcon } from '@phosphor-icons/react';
import { Link, useRouter, useRouterState } from '@tanstack/react-router';
import { useRef } from 'react';
import { Button as AriaButton } from 'react-aria-components';
import { useSession } from '../features/session/session';
import { Button, IconButton } from '../kit/button';
import { t } from '../kit/say';
import { useServerOff } from '../kit/server';
import { StatusIcon } from '../kit/status';
import { useScreenInfo } from './screen';

/** Back and forward, where one is, the palette, and the freeze. */
export function TopBar(props: {
  onPalette: () => void;
  onFreeze: () => void;
  freezeOff: string | null;
}) {
  const session = useSession();
  const router = useRouter();
  const { crumbs } = useScreenInfo();
  const at = useRouterState({ select: (state) => state.location.state.__TSR_index });
  const furthest = useRef(at);
  const pushed = useRef(at);
  // A new page after going back cuts the pages ahead off, as in every browser.
  if (at > pushed.current && at > furthest.current) furthest.current = at;
  pushed.current = at;
  const all = [{ label: session.program.name, to: '/' }, ...crumbs];
  return (
    <header className="flex h-11 shrink-0 items-center gap-3 border-b border-line2 bg-surface px-4">
      <div className="flex">
        <IconButton label={t('Back')} isDisabled={at <= 0} onPress={() => router.history.back()}>
          <ArrowLeftIcon size="1rem" aria-hidden="true" />
        </IconButton>
        <IconButton
          label={t('Forward')}
          isDisabled={at >= furthest.current}
          onPress={() => router.history.forward()}
        >
          <ArrowRightIcon size="1rem" aria-hidden="true" />
        </IconButton>
      </div>
      <nav aria-label={t('Where you are')} className="min-w-0 flex-1 overflow-hidden">
        <ol className="flex items-center gap-2 whitespace-nowrap">
          {all.map((crumb, index) => {
            const last = index === all.length - 1;
            return (
              <li
                key={`${crumb.label} ${index}`}
                className={`flex items-center gap-2 ${last ? 'min-w-0' : '@max-3xl/window:hidden'}`}
              >
                {last || !crumb.to ? (
                  <span
                    aria-current={last ? 'page' : undefined}
                    className={last ? 'truncate font-semibold' : 'text-ink2'}
                  >
                    {crumb.label}
                  </span>
                ) : (
                  <Link to={crumb.to} className="rounded-pill text-ink2 hover:underline">
                    {crumb.label}
                  </Link>
                )}
                {last ? null : (
                  <span aria-hidden="true" className="text-ctl">
                    /
                  </span>
                )}
              </li>
            );
          })}
        </ol>
      </nav>
      <AriaButton
        onPress={props.onPalette}
        aria-keyshortcuts="Control+K"
        className="flex h-7 w-66 min-w-8 shrink items-center @max-3xl/window:w-auto gap-2 rounded-ctl border border-ctl bg-surface px-2.5 text-left text-ink3 hover:bg-sunk"
      >
        <MagnifyingGlassIcon size="1rem" aria-hidden="true" className="shrink-0" />
        <span className="min-w-0 flex-1 truncate @max-3xl/window:sr-only">
          {t('Search or run a command')}
        </span>
        <kbd className="shrink-0 rounded-pill border border-line2 px-1 font-mono text-cap @max-3xl/window:hidden">
          Ctrl K
        </kbd>
      </AriaButton>
      <Button onPress={props.onFreeze} off={props.freezeOff} server hideReason>
        <StatusIcon shape="frozen" tone="ink" size={15} />
        {useServerOff() ? t('Freeze needs the server') : t('Freeze…')}
      </Button>
    </header>
  );
}
