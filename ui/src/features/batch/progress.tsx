import type { BatchDetail, LegView } from '../../contract/types';
import { t } from '../../kit/say';
import { useElapsed } from '../../kit/states';
import { StatusIcon, stateLook } from '../../kit/status';
import { countText, span } from '../../kit/time';

/** How many lines of a leg are paid by their own evidence. */
export function settledIn(batch: BatchDetail, leg: number): number {
  return batch.lines.filter((line) => line.leg === leg && line.state === 'SETTLED').length;
}

function legWords(leg: LegView): string {
  const word = stateLook(leg.state).word;
  if (leg.state === 'MINED' && leg.confirmations) {
    return t('{word}, {given} of {needed} confirmations', {
      word,
      given: leg.confirmations[0],
      needed: leg.confirmations[1],
    });
  }
  return leg.block === null
    ? word
    : t('{word}, block {block}', { word, block: countText(leg.block) });
}

function LegProgress(props: { batch: BatchDetail; leg: LegView }) {
  const { leg, batch } = props;
  const settled = settledIn(batch, leg.index);
  const percent = leg.transfers > 0 ? Math.floor((settled * 100) / leg.transfers) : 0;
  return (
    <li className="grid grid-cols-[3.5rem_minmax(6rem,1fr)_auto] items-center gap-3">
      <span className="font-medium">{t('Leg {leg}', { leg: leg.index })}</span>
      <span
        role="progressbar"
        aria-label={t('Leg {leg}: payments settled', { leg: leg.index })}
        aria-valuemin={0}
        aria-valuemax={leg.transfers}
        aria-valuenow={settled}
        className="h-1.5 bg-line2"
      >
        <span
          className="block h-full bg-accent forced-colors:bg-[Highlight]"
          style={{ width: `${percent}%` }}
        />
      </span>
      <span className="flex min-w-68 items-center justify-end gap-2 text-small text-ink2">
        <StatusIcon shape={stateLook(leg.state).shape} />
        {legWords(leg)}
        <span className="min-w-22 text-right text-ink3">
          {t('{settled} of {transfers} paid', { settled, transfers: leg.transfers })}
        </span>
      </span>
    </li>
  );
}

/** Each leg: where it is, and how many of its payments are paid. */
export function LegList({ batch }: { batch: BatchDetail }) {
  return (
    <ul className="flex flex-col gap-1">
      {batch.legs.map((leg) => (
        <LegProgress key={leg.index} batch={batch} leg={leg} />
      ))}
    </ul>
  );
}

/** What moves while a batch is sent: per leg, with counts and time. */
export function Progress(props: { batch: BatchDetail }) {
  const { batch } = props;
  const { settled, lines, state } = batch.summary;
  const running = state === 'EXECUTING';
  const elapsed = useElapsed(running);
  return (
    <section
      aria-label={t('Progress')}
      className="flex flex-col gap-2 border-b border-line2 bg-accent-soft px-4 py-2.5"
    >
      <p role="status" className="flex flex-wrap items-center gap-2">
        <StatusIcon shape="executing" turning={running} />
        <strong className="font-semibold">
          {t(
            '{settled} of {lines, plural, one {# payment is} other {# payments are}} paid, by evidence on chain',
            { settled, lines },
          )}
        </strong>
        <span className="text-small text-ink3">
          {t('watching for {time}, asking every second', { time: span(elapsed) })}
        </span>
      </p>
      <LegList batch={batch} />
    </section>
  );
}
