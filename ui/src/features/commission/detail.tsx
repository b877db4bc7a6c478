import { useRead } from '../../backend/use';
import type { CommissionDetail } from '../../contract/types';
import { MoneyText } from '../../kit/amount';
import { PlainHash } from '../../kit/hash';
import { Facts, PageHead, SectionHead, WithSide } from '../../kit/layout';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { State } from '../../kit/status';
import { useScreen } from '../../routes/screen';
import { At } from '../session/at';
import { commissionWord, percent } from './words';

function Made(props: { detail: CommissionDetail }) {
  const { detail } = props;
  const { commission } = detail;
  const by =
    commission.kind === 'OVERRIDE'
      ? t('{percent} % of it for the parent of who referred the user', {
          percent: percent(detail.overrideRate),
        })
      : detail.tierRate
        ? t('{percent} % for the tier {tier}', {
            percent: percent(detail.tierRate),
            tier: detail.tier ?? '',
          })
        : t('{percent} %, the base rate', { percent: percent(detail.baseRate) });
  return (
    <div className="flex flex-col gap-1 overflow-auto px-4 pb-4">
      {detail.takesBack ? (
        <Notice shape="returned" title={t('It takes another one back')} className="px-0">
          <TextLink to="/commissions/$id" params={{ id: detail.takesBack }}>
            {t('Open the one that was paid')}
          </TextLink>
        </Notice>
      ) : null}
      {detail.takenBackBy ? (
        <Notice shape="returned" title={t('It was taken back')} className="px-0">
          <TextLink to="/commissions/$id" params={{ id: detail.takenBackBy }}>
            {t('Open what takes it back')}
          </TextLink>
        </Notice>
      ) : null}
      <SectionHead title={t('From the sale to the commission')} />
      <Facts
        wide
        rows={[
          {
            name: t('Sale'),
            value: (
              <>
                <TextLink to="/intents/$id" params={{ id: detail.intentId }}>
                  <span className="font-mono text-small break-all">{detail.intent}</span>
                </TextLink>
                <span className="block text-small text-ink3">
                  <At at={commission.earnedAt} />
                </span>
              </>
            ),
          },
          {
            name: t('Settled'),
            value: (
              <span className="flex flex-wrap items-center gap-x-4">
                <MoneyText money={detail.settled} />
                <State state={detail.settlementState} />
              </span>
            ),
          },
          { name: t('Share'), value: by },
          { name: t('Commission'), value: <MoneyText money={commission.money} strong /> },
        ]}
      />
      <SectionHead title={t('The rule that made it')}>
        <TextLink to="/changes/$id" params={{ id: detail.ruleId }}>
          {t('who signed it')}
        </TextLink>
      </SectionHead>
      <Facts
        wide
        rows={[
          { name: t('Version'), value: detail.ruleVersion },
          { name: t('In force from'), value: <At at={detail.ruleFrom} /> },
          {
            name: t('Base rate'),
            value: t('{percent} %', { percent: percent(detail.baseRate) }),
          },
          {
            name: t('Override rate'),
            value: t('{percent} %', { percent: percent(detail.overrideRate) }),
          },
          { name: t('Days held'), value: detail.holdingDays },
        ]}
      />
    </div>
  );
}

function Side(props: { detail: CommissionDetail }) {
  const { commission, line, lineState } = props.detail;
  return (
    <div className="p-4">
      <SectionHead title={t('Whose, and how it is paid')} />
      <Facts
        rows={[
          {
            name: t('Whose'),
            value: (
              <TextLink to="/affiliates/$id" params={{ id: commission.affiliateId }}>
                {commission.affiliate}
              </TextLink>
            ),
          },
          { name: t('State'), value: <State state={commission.state} /> },
          { name: t('Payable'), value: <At at={commission.payableFrom} /> },
          {
            name: t('Paid by'),
            value:
              commission.batchId && line && lineState ? (
                <>
                  <TextLink to="/batches/$id" params={{ id: commission.batchId }}>
                    {t('Batch {number}, line {line}', { number: commission.batch ?? 0, line })}
                  </TextLink>
                  <span className="block">
                    <State state={lineState} />
                  </span>
                </>
              ) : (
                <span className="text-ink2">{t('no batch yet')}</span>
              ),
          },
          { name: t('Id'), value: <PlainHash hash={commission.id} /> },
        ]}
      />
    </div>
  );
}

/** One commission: the sale, the rule, the line that pays it. */
export function CommissionDetailScreen(props: { id: string }) {
  const query = useRead('commission_get', { id: props.id }, { every: 5_000 });
  const detail = query.data;
  useScreen([
    { label: t('Commissions'), to: '/commissions' },
    { label: t('One by one'), to: '/commissions/all' },
    { label: detail?.commission.affiliate ?? t('Commission') },
  ]);
  if (query.isError && !detail)
    return <Failure error={query.error} onRetry={() => void query.refetch()} />;
  if (!detail) return <Waiting what={t('Reading the commission')} />;
  const { commission } = detail;
  return (
    <>
      <PageHead
        title={commission.affiliate}
        beside={
          <>
            <MoneyText money={commission.money} />
            <State state={commission.state} />
            <span className="text-ink3">{commissionWord(commission.kind)}</span>
          </>
        }
      />
      <WithSide label={t('Whose, and how it is paid')} side={<Side detail={detail} />}>
        <Made detail={detail} />
      </WithSide>
    </>
  );
}
