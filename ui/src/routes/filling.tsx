import { useEffect } from 'react';
import { Button as AriaButton } from 'react-aria-components';
import { useDo } from '../backend/use';
import type { Filling } from '../contract/types';
import { t } from '../kit/say';
import { StatusIcon } from '../kit/status';
import { countText, span } from '../kit/time';

/** While the copy fills, its progress is asked for this often. */
const ASK_MS = 1_000;

function words(filling: Filling): string {
  const rows = t('{read} of {all} rows', {
    read: countText(filling.rowsRead),
    all: countText(filling.rowsExpected),
  });
  if (filling.isPaused) return t('{rows}, waiting', { rows });
  if (filling.rowsPerSecond === null || filling.secondsLeft === null) return rows;
  return t('{rows}, {rate} a second, {left} left', {
    rows,
    rate: countText(filling.rowsPerSecond),
    left: span(filling.secondsLeft * 1_000),
  });
}

/** How the first filling of the local copy goes, and a way to have it wait. Open work is here already. */
export function FillingItem(props: { filling: Filling; onAsk: () => void }) {
  const { filling, onAsk } = props;
  const fill = useDo('session_fill', { onDone: onAsk });
  useEffect(() => {
    if (filling.isPaused) return;
    const timer = setInterval(onAsk, ASK_MS);
    return () => clearInterval(timer);
  }, [filling.isPaused, onAsk]);
  const done = Number(filling.rowsRead) / Math.max(1, Number(filling.rowsExpected));
  return (
    <span className="flex h-7 shrink-0 items-center gap-2 whitespace-nowrap">
      <StatusIcon shape={filling.isPaused ? 'held' : 'executing'} turning={!filling.isPaused} />
      <span>
        {t('Filling the local copy')}{' '}
        <span className="text-ink3 @max-[68rem]/window:sr-only">{words(filling)}</span>
      </span>
      <progress
        aria-label={t('Filling the local copy')}
        value={done}
        max={1}
        className="h-1.5 w-20 appearance-none overflow-hidden rounded-pill bg-line2 [&::-webkit-progress-bar]:bg-line2 [&::-webkit-progress-value]:bg-accent"
      />
      <AriaButton
        onPress={() => fill.mutate({ paused: !filling.isPaused })}
        className="h-6 rounded-ctl px-1.5 text-accent hover:underline -outline-offset-2"
      >
        {filling.isPaused ? t('Go on') : t('Pause')}
      </AriaButton>
    </span>
  );
}
