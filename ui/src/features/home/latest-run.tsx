import type { RunSummary } from '../../contract/types';
import { SectionHead } from '../../kit/layout';
import { LinkButton, TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Notice } from '../../kit/states';
import { StatusIcon } from '../../kit/status';
import { count, dateTime, zoneName } from '../../kit/time';

/** Match rates of the last runs as a line; a rate is a percentage, not an amount. */
function Spark(props: { runs: RunSummary[] }) {
  const rates = [...props.runs].reverse().map((run) => Number.parseFloat(run.matchRate));
  if (rates.length < 2) return null;
  const low = Math.min(...rates, 99);
  const range = Math.max(100 - low, 0.01);
  const points = rates.map((rate, index) => ({
    x: 4 + (index * 272) / (rates.length - 1),
    y: 6 + ((100 - rate) / range) * 28,
  }));
  const last = points.at(-1);
  return (
    <svg
      viewBox="0 0 280 40"
      className="my-1 w-full max-w-76 text-ink2"
      role="img"
      aria-label={t('Match rate of the last {runs} runs; the numbers are under Reconciliation', {
        runs: rates.length,
      })}
    >
      <polyline
        points={points.map((point) => `${point.x},${point.y}`).join(' ')}
        fill="none"
        stroke="currentColor"
        strokeWidth="1.4"
      />
      {last ? (
        <circle
          cx={last.x}
          cy={last.y}
          r="3"
          className="fill-surface stroke-accent"
          strokeWidth="1.8"
        />
      ) : null}
    </svg>
  );
}

/** The newest reconciliation run in one figure. */
export function LatestRun(props: { runs: RunSummary[]; zone: string }) {
  const run = props.runs[0];
  if (!run) {
    return (
      <section>
        <SectionHead title={t('Reconciliation')} />
        <Notice
          shape="draft"
          title={t('Nothing is proven yet')}
          actions={<LinkButton to="/reconciliation">{t('Open Reconciliation')}</LinkButton>}
          className="!px-0"
        >
          {t('A run compares ledger, batches and chain line by line.')}
        </Notice>
      </section>
    );
  }
  const before = props.runs[1];
  return (
    <section>
      <SectionHead title={t('Reconciliation')}>
        <TextLink to="/reconciliation/$id" params={{ id: run.id }}>
          {t('Run {number}', { number: run.number })}
        </TextLink>
      </SectionHead>
      <div className="flex items-center gap-4 py-1">
        <p className="text-figure font-semibold">
          {run.matchRate}
          <span className="ml-1 text-window font-normal text-ink3">%</span>
        </p>
        <p className="text-small text-ink2">
          {t('{matched} of {lines} lines agree on all sides', {
            matched: count(run.matched),
            lines: count(run.lines),
          })}
          <span className="block text-ink3">
            {dateTime(run.completedAt, props.zone)} {zoneName(run.completedAt, props.zone)}
          </span>
          {before ? (
            <span className="block text-ink3">
              {t('Run {number}: {rate} %', { number: before.number, rate: before.matchRate })}
            </span>
          ) : null}
        </p>
      </div>
      <Spark runs={props.runs} />
      <p className="flex min-h-7 items-center gap-2 border-t border-line">
        <StatusIcon shape={run.open > 0 ? 'differs' : 'executed'} />
        {run.open > 0
          ? t('{open, plural, one {# discrepancy is open} other {# discrepancies are open}}', {
              open: run.open,
            })
          : t('No discrepancy is open')}
      </p>
    </section>
  );
}
