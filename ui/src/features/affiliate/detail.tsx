import { useRead } from '../../backend/use';
import type { AffiliateDetail, AffiliateTotal } from '../../contract/types';
import { Address } from '../../kit/address';
import { MoneyText } from '../../kit/amount';
import { PlainHash } from '../../kit/hash';
import { Facts, PageHead, SectionHead, WithSide } from '../../kit/layout';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Failure, Notice, Waiting } from '../../kit/states';
import { State } from '../../kit/status';
import { count } from '../../kit/time';
import { useScreen } from '../../routes/screen';
import { At } from '../session/at';
import { Earns } from './columns';

const HEAD = 'border-b border-line2 bg-sunk text-left text-small text-ink3';

function Totals(props: { rows: AffiliateTotal[] }) {
  return (
    <table className="w-full">
      <thead>
        <tr className={HEAD}>
          <th className="px-2 py-1 font-medium">{t('State')}</th>
          <th className="px-2 py-1 text-right font-medium">{t('Commissions')}</th>
          <th className="px-2 py-1 text-right font-medium">{t('Sum')}</th>
        </tr>
      </thead>
      <tbody>
        {props.rows.map((row) => (
          <tr key={`${row.money.asset.symbol} ${row.state}`} className="border-b border-line">
            <td className="px-2 py-1.5">
              <State state={row.state} />
            </td>
            <td className="px-2 py-1.5 text-right">{count(row.count)}</td>
            <td className="px-2 py-1.5 text-right">
              <MoneyText money={row.money} slot={row.money.asset.decimals} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** The affiliate between its parent and those below it. */
function Tree(props: { detail: AffiliateDetail }) {
  const { affiliate, children } = props.detail;
  const own = affiliate.parentId ? 'pl-6' : '';
  return (
    <ul className="flex flex-col">
      {affiliate.parentId ? (
        <li className="border-b border-line py-1.5">
          <TextLink to="/affiliates/$id" params={{ id: affiliate.parentId }}>
            {affiliate.parent}
          </TextLink>{' '}
          <span className="text-ink3">{t('parent: earns an override')}</span>
        </li>
      ) : null}
      <li className={`border-b border-line py-1.5 ${own}`}>
        <strong className="font-semibold">{affiliate.name}</strong>{' '}
        <span className="text-ink3">{t('this one')}</span>
      </li>
      {children.map((child) => (
        <li
          key={child.id}
          className={`flex items-center justify-between gap-4 border-b border-line py-1.5 ${
            affiliate.parentId ? 'pl-12' : 'pl-6'
          }`}
        >
          <TextLink to="/affiliates/$id" params={{ id: child.id }}>
            {child.name}
          </TextLink>
          <span className="flex items-center gap-4 text-small">
            <span className="text-ink3">{child.tier}</span>
            <Earns active={child.isActive} />
          </span>
        </li>
      ))}
    </ul>
  );
}

function Body(props: { detail: AffiliateDetail }) {
  const { detail } = props;
  return (
    <div className="flex flex-col gap-1 overflow-auto px-4 pb-4">
      <SectionHead title={t('What it earned')}>
        <TextLink to="/commissions/all">{t('one by one')}</TextLink>
      </SectionHead>
      {detail.totals.length > 0 ? (
        <Totals rows={detail.totals} />
      ) : (
        <Notice shape="note" title={t('It earned nothing yet')} className="px-0">
          {t('A settled sale of a user whom it referred earns a commission.')}
        </Notice>
      )}
      <SectionHead title={t('The tree around it')} />
      <Tree detail={detail} />
    </div>
  );
}

function Side(props: { detail: AffiliateDetail }) {
  const { affiliate, terms } = props.detail;
  return (
    <div className="p-4">
      <SectionHead title={t('Registered wallet')}>
        <TextLink to="/payees/$id" params={{ id: affiliate.id }}>
          {t('where it is paid')}
        </TextLink>
      </SectionHead>
      <Address address={affiliate.wallet} two />
      <Facts
        rows={[
          {
            name: t('Code'),
            value: <code className="font-mono text-small">{affiliate.code}</code>,
          },
          { name: t('Users'), value: count(affiliate.users) },
          { name: t('Id'), value: <PlainHash hash={affiliate.id} /> },
        ]}
        className="pt-2"
      />
      <SectionHead title={t('Terms')} count={terms.length} />
      <ol className="flex flex-col">
        {terms.map((one, index) => (
          <li key={index} className="border-b border-line py-1.5 last:border-b-0">
            <span className="flex justify-between gap-2">
              <strong className="font-semibold">{one.tier}</strong>
              <Earns active={one.isActive} />
            </span>
            <span className="block text-small text-ink3">
              {one.from ? (
                <>
                  {t('from')} <At at={one.from} />
                </>
              ) : (
                t('from the beginning')
              )}
            </span>
          </li>
        ))}
      </ol>
    </div>
  );
}

/** One affiliate: what it earned, who is above and below, and on what terms. */
export function AffiliateScreen(props: { id: string }) {
  const query = useRead('affiliate_get', { id: props.id }, { every: 5_000 });
  const detail = query.data;
  useScreen([
    { label: t('Affiliates'), to: '/affiliates' },
    { label: detail?.affiliate.name ?? t('Affiliate') },
  ]);
  if (query.isError && !detail)
    return <Failure error={query.error} onRetry={() => void query.refetch()} />;
  if (!detail) return <Waiting what={t('Reading the affiliate')} />;
  return (
    <>
      <PageHead
        title={detail.affiliate.name}
        beside={
          <>
            <Earns active={detail.affiliate.isActive} />
            <span className="text-ink3">{t('tier {tier}', { tier: detail.affiliate.tier })}</span>
          </>
        }
      />
      <WithSide label={t('Registered wallet')} side={<Side detail={detail} />}>
        <Body detail={detail} />
      </WithSide>
    </>
  );
}
