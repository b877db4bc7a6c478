import { useState } from 'react';
import type { CommissionTotals } from '../../contract/types';
import { Amount, Asset } from '../../kit/amount';
import { addDecimals, permille } from '../../kit/decimal';
import { SectionHead } from '../../kit/layout';
import { TextLink } from '../../kit/link';
import { t } from '../../kit/say';
import { Segments } from '../../kit/segments';
import { Notice } from '../../kit/states';
import { OVERVIEW_CUT } from '../batch/list';

type Part = 'paid' | 'inBatch' | 'payable' | 'accrued';

const PARTS: { id: Part; label: () => string; fill: string }[] = [
  { id: 'paid', label: () => t('Paid'), fill: 'bg-line2 border border-ctl' },
  {
    id: 'inBatch',
    label: () => t('In a batch'),
    fill: 'bg-accent border border-accent forced-colors:bg-[Highlight]',
  },
  { id: 'payable', label: () => t('Payable'), fill: 'bg-accent-soft border border-accent' },
  { id: 'accrued', label: () => t('In holding period'), fill: 'bar-pattern-hold' },
];

function sum(totals: CommissionTotals): string {
  return PARTS.reduce((all, part) => addDecimals(all, totals[part.id]), '0');
}

function Chart(props: { totals: CommissionTotals[] }) {
  return (
    <div className="flex flex-col gap-2 py-1">
      <ul className="flex flex-wrap gap-x-5 gap-y-1 text-small text-ink2">
        {PARTS.map((part) => (
          <li key={part.id} className="flex items-center gap-2">
            <span aria-hidden="true" className={`size-3 ${part.fill}`} />
            {part.label()}
          </li>
        ))}
      </ul>
      {props.totals.map((totals) => {
        const all = sum(totals);
        return (
          <div
            key={totals.asset.symbol}
            className="grid grid-cols-[4rem_1fr_auto] items-center gap-3"
          >
            <Asset asset={totals.asset} />
            <div
              role="img"
              aria-label={t('{asset}: the parts stand in the table', {
                asset: totals.asset.symbol,
              })}
              className="flex h-6 border-b border-ctl"
            >
              {PARTS.map((part) => {
                const share = permille(totals[part.id], all);
                return share > 0 ? (
                  <span
                    key={part.id}
                    className={`h-full ${part.fill}`}
                    style={{ width: `${share / 10}%` }}
                  />
                ) : null;
              })}
            </div>
            <Amount value={all} decimals={totals.asset.decimals} cut={OVERVIEW_CUT} />
          </div>
        );
      })}
    </div>
  );
}

function TableBehind(props: { totals: CommissionTotals[] }) {
  return (
    <table className="w-full border-collapse">
      <thead>
        <tr className="border-b border-line2 text-small text-ink3">
          <th scope="col" className="py-1 text-left font-medium">
            {t('Asset')}
          </th>
          {PARTS.map((part) => (
            <th key={part.id} scope="col" className="px-2 py-1 text-right font-medium">
              {part.label()}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {props.totals.map((totals) => (
          <tr key={totals.asset.symbol} className="h-8 border-b border-line">
            <th scope="row" className="text-left font-normal">
              <Asset asset={totals.asset} />
            </th>
            {PARTS.map((part) => (
              <td key={part.id} className="px-2 text-right">
                <Amount
                  value={totals[part.id]}
                  decimals={totals.asset.decimals}
                  cut={OVERVIEW_CUT}
                />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Where commissions stand, per asset; assets are never added. */
export function CommissionChart(props: { totals: CommissionTotals[] }) {
  const [view, setView] = useState<'chart' | 'table'>('chart');
  return (
    <section>
      <SectionHead title={t('Commissions')}>
        <TextLink to="/commissions">{t('What is payable')}</TextLink>
        <Segments
          label={t('Show commissions as')}
          value={view}
          onChange={setView}
          options={[
            { id: 'chart', label: t('Chart') },
            { id: 'table', label: t('Table') },
          ]}
        />
      </SectionHead>
      {props.totals.length === 0 ? (
        <Notice shape="note" title={t('No commission has accrued yet')} className="!px-0">
          {t('Commissions come from confirmed settlements of referred users.')}
        </Notice>
      ) : view === 'chart' ? (
        <Chart totals={props.totals} />
      ) : (
        <TableBehind totals={props.totals} />
      )}
    </section>
  );
}
