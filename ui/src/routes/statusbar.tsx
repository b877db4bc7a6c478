import { LockSimpleIcon } from '@phosphor-icons/react';
import { useCallback, useEffect, useState } from 'react';
import { Button as AriaButton } from 'react-aria-components';
import { useBackend, useRead } from '../backend/use';
import { lockNow } from '../features/session/lock';
import { useSession } from '../features/session/session';
import { Amount, Asset } from '../kit/amount';
import { t } from '../kit/say';
import { StatusIcon, levelShape, levelWord } from '../kit/status';
import { clock, dateTime, zoneName } from '../kit/time';
import { useChosen } from '../table/selection';
import { FillingItem } from './filling';

const ITEM =
  'flex h-7 items-center gap-2 whitespace-nowrap border-r border-line2 pr-4 last:border-r-0';

/** When the console locks itself, counted on from what the core said last; a press locks now. */
function LocksIn() {
  const backend = useBackend();
  const clock = useRead('session_clock', null, { every: 5_000 });
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  if (!clock.data) return null;
  const passed = Math.max(0, now - clock.dataUpdatedAt);
  const left = Math.max(0, clock.data.locksInSecs - Math.floor(passed / 1_000));
  const time = `${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')}`;
  return (
    <AriaButton
      aria-keyshortcuts="Control+L"
      onPress={() => void lockNow(backend)}
      className="flex h-6 shrink-0 items-center gap-1.5 rounded-ctl border-l border-line2 px-2 whitespace-nowrap hover:bg-line -outline-offset-2"
    >
      <LockSimpleIcon size="0.875rem" aria-hidden="true" />
      {t('Locks in {time}', { time })}
      <span className="sr-only">{t('Lock now')}</span>
    </AriaButton>
  );
}

/** Health at the left, what is chosen and the time at the right. */
export function StatusBar() {
  const session = useSession();
  const health = useRead('health_get', null, { every: 5_000 });
  const chosen = useChosen();
  const zone = session.program.timeZone;
  const lost = health.isError && health.data;
  const { refetch } = health;
  const ask = useCallback(() => void refetch(), [refetch]);
  return (
    <section
      aria-label={t('Status')}
      className="flex h-7 shrink-0 items-center gap-4 overflow-hidden border-t border-line2 bg-canvas px-4 text-small text-ink2"
    >
      <div className="flex h-7 min-w-0 flex-1 flex-wrap items-center gap-x-4 overflow-hidden">
        {health.isError ? (
          <span className={`${ITEM} text-warn`}>
            <StatusIcon shape="unknown" />
            {lost
              ? t('No answer since {time}; asking every 5 s', { time: clock(health.data.at, zone) })
              : t('The server does not answer; asking every 5 s')}
          </span>
        ) : (
          (health.data?.checks ?? []).map((check) => (
            <span
              key={check.label}
              className={`${ITEM} ${check.level === 'CHECK' || check.level === 'UNKNOWN' ? 'text-warn' : check.level === 'BLOCK' ? 'text-danger' : ''}`}
            >
              <StatusIcon shape={levelShape(check.level)} />
              <span className="sr-only">{levelWord(check.level)}: </span>
              <span>
                {check.label} <span className="text-ink3">{check.detail}</span>
              </span>
            </span>
          ))
        )}
      </div>
      {health.data?.filling ? <FillingItem filling={health.data.filling} onAsk={ask} /> : null}
      {chosen ? (
        <span role="status" className="flex shrink-0 items-center gap-2 whitespace-nowrap">
          <strong className="font-semibold text-ink">
            {t('{count, plural, one {# line} other {# lines}} selected', { count: chosen.count })}
          </strong>
          {t('sum')}
          {chosen.sums.map((sum) => (
            <span key={sum.asset.symbol} className="inline-flex items-baseline gap-1.5">
              <strong className="font-semibold text-ink">
                <Amount value={sum.amount} decimals={sum.asset.decimals} strong />
              </strong>
              <Asset asset={sum.asset} />
            </span>
          ))}
        </span>
      ) : null}
      <LocksIn />
      {health.data ? (
        <span className="shrink-0 whitespace-nowrap border-l border-line2 pl-4">
          {dateTime(health.data.at, zone)}{' '}
          <span className="text-ink3">{zoneName(health.data.at, zone)}</span>
        </span>
      ) : null}
    </section>
  );
}
