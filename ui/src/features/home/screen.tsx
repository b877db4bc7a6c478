import { useRead } from '../../backend/use';
import type { Home, WaitingItem } from '../../contract/types';
import { SectionHead, WithSide } from '../../kit/layout';
import { LinkButton } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { StatusIcon } from '../../kit/status';
import { dateTime, span, zoneName } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { TotalsCell } from '../batch/list';
import { Checks } from '../batch/side';
import { useSession } from '../session/session';
import { Balances } from './balances';
import { CommissionChart } from './commissions';
import { LatestRun } from './latest-run';

function WaitingRow(props: { item: WaitingItem; zone: string; now: number; first: boolean }) {
  const { item, zone } = props;
  return (
    <li className="grid min-h-11 grid-cols-[1.25rem_minmax(0,1fr)_auto_6.25rem] items-center gap-x-3 gap-y-1 border-b border-line py-1 last:border-b-0 @3xl:grid-cols-[1.25rem_minmax(0,1fr)_auto_9.5rem_6.25rem]">
      <StatusIcon shape="pending" />
      <span className="min-w-0">
        <span className="block truncate">
          <strong className="font-semibold">{item.verb}</strong> {item.subject}
        </span>
        <span className="block truncate text-small text-ink3" title={item.reason}>
          {item.reason}
        </span>
      </span>
      <TotalsCell totals={item.totals} />
      <span className="@max-3xl:hidden">
        <span className="block">
          {t('for {time}', { time: span(props.now - Date.parse(item.since)) })}
        </span>
        <span className="block text-small text-ink3">
          {dateTime(item.since, zone)} {zoneName(item.since, zone)}
        </span>
      </span>
      <LinkButton
        to="/batches/$id"
        params={{ id: item.batchId }}
        look={props.first && item.button.endsWith('…') ? 'primary' : 'default'}
        aria-label={`${item.button} ${item.subject}`}
      >
        {item.button}
      </LinkButton>
    </li>
  );
}

function WaitsForYou(props: { home: Home; zone: string }) {
  const { waiting } = props.home;
  return (
    <section>
      <SectionHead title={t('Waits for you')} count={waiting.length}>
        {waiting.length > 1 ? t('Oldest first') : null}
      </SectionHead>
      {waiting.length === 0 ? (
        <Notice
          shape="approved"
          title={t('Nothing waits for you')}
          actions={<LinkButton to="/batches">{t('Open batches')}</LinkButton>}
          className="!px-0"
        >
          {t('What others are working on is under Batches.')}
        </Notice>
      ) : (
        <ul>
          {waiting.map((item, index) => (
            <WaitingRow
              key={`${item.verb} ${item.batchId}`}
              item={item}
              zone={props.zone}
              now={Date.now()}
              first={index === 0}
            />
          ))}
        </ul>
      )}
    </section>
  );
}

function HomeSide(props: { home: Home }) {
  const session = useSession();
  const health = useRead('health_get', null, { every: 5_000 });
  return (
    <div className="flex flex-col gap-2 px-4 py-1.5">
      <section>
        <SectionHead title={t('Health')} />
        {health.isPending ? <Waiting what={t('Asking')} /> : null}
        {health.isError ? <Failure error={health.error} title={t('Health is not known')} /> : null}
        {health.data ? <Checks checks={health.data.checks} /> : null}
      </section>
      <LatestRun runs={props.home.runs} zone={session.program.timeZone} />
    </div>
  );
}

/** What waits, what there is, whether it agrees. */
export function HomeScreen() {
  const session = useSession();
  const home = useRead('home_get', null, { every: 5_000 });
  useScreen([{ label: t('Home') }]);
  if (home.isError && !home.data) {
    return <Failure error={home.error} onRetry={() => void home.refetch()} />;
  }
  if (!home.data) return <Waiting what={t('Reading what waits for you')} />;
  return (
    <>
      <h1 className="sr-only">{t('Home')}</h1>
      <WithSide label={t('Health and proof')} side={<HomeSide home={home.data} />}>
        <div className="@container flex flex-1 flex-col gap-2 overflow-auto px-4 py-1.5">
          <WaitsForYou home={home.data} zone={session.program.timeZone} />
          <Balances balances={home.data.balances} />
          <CommissionChart totals={home.data.commissions} />
        </div>
      </WithSide>
    </>
  );
}
