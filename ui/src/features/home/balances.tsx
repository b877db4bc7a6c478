import type { Balance } from '../../contract/types';
import { ShortAddress } from '../../kit/address';
import { Amount, Asset } from '../../kit/amount';
import { SectionHead } from '../../kit/layout';
import { t } from '../../kit/say';
import { Notice } from '../../kit/states';
import { StatusIcon } from '../../kit/status';
import { OVERVIEW_CUT } from '../batch/list';

const HEAD = 'px-2 py-1 text-small font-medium text-ink3 whitespace-nowrap';
const CELL = 'px-2 py-1 whitespace-nowrap';

function Value(props: { value: string | null; balance: Balance; strong?: boolean }) {
  if (props.value === null) return <span className="text-ink3">{t('not read yet')}</span>;
  return (
    <Amount
      value={props.value}
      decimals={props.balance.asset.decimals}
      cut={OVERVIEW_CUT}
      className={props.strong ? 'font-semibold' : ''}
    />
  );
}

/** Share of a balance that submitted batches hold. */
function Share(props: { percent: number }) {
  const percent = Math.min(100, Math.max(0, props.percent));
  return (
    <span className="flex items-center justify-end gap-2">
      <span aria-hidden="true" className="h-1.5 w-16 bg-line">
        <span
          className="block h-full bg-accent forced-colors:bg-[Highlight]"
          style={{ width: `${percent}%` }}
        />
      </span>
      <span className="w-10 text-right text-ink2">{props.percent} %</span>
    </span>
  );
}

/** What each Safe has of each asset. */
export function Balances(props: { balances: Balance[] }) {
  const { balances } = props;
  return (
    <section>
      <SectionHead title={t('Balances')}>
        {t('Available is the smaller of chain and ledger, less committed')}
      </SectionHead>
      {balances.length === 0 ? (
        <Notice shape="note" title={t('No Safe holds anything here')} className="!px-0">
          {t('An administrator adds Safes and assets to the program.')}
        </Notice>
      ) : (
        <div className="overflow-x-auto" role="region" aria-label={t('Balances')} tabIndex={0}>
          <table className="w-full border-collapse">
            <thead>
              <tr className="border-b border-line2">
                <th scope="col" className={`${HEAD} pl-0 text-left`}>
                  {t('Safe')}
                </th>
                <th scope="col" className={`${HEAD} text-left`}>
                  {t('Asset')}
                </th>
                <th scope="col" className={`${HEAD} text-right`}>
                  {t('On chain')}
                </th>
                <th scope="col" className={`${HEAD} text-right`}>
                  {t('In ledger')}
                </th>
                <th scope="col" className={`${HEAD} text-right`}>
                  {t('Committed')}
                </th>
                <th scope="col" className={`${HEAD} text-right`}>
                  {t('Available')}
                </th>
                <th scope="col" className={`${HEAD} pr-0 text-right`}>
                  {t('Committed share')}
                </th>
              </tr>
            </thead>
            <tbody>
              {balances.map((balance, index) => {
                const first = balances[index - 1]?.safeAddress !== balance.safeAddress;
                return (
                  <tr
                    key={`${balance.safeAddress} ${balance.asset.symbol}`}
                    className="h-8 border-b border-line"
                  >
                    <th scope="row" className={`${CELL} pl-0 text-left font-normal`}>
                      {first ? (
                        <>
                          <strong className="font-semibold">{balance.safeName}</strong>{' '}
                          <ShortAddress address={balance.safeAddress} />
                        </>
                      ) : (
                        <span className="sr-only">{balance.safeName}</span>
                      )}
                    </th>
                    <td className={CELL}>
                      <Asset asset={balance.asset} />
                    </td>
                    <td className={`${CELL} text-right`}>
                      <Value value={balance.onChain} balance={balance} />
                    </td>
                    <td className={`${CELL} text-right ${balance.agrees ? '' : 'text-warn'}`}>
                      <span className="inline-flex items-center gap-2">
                        {balance.agrees ? null : (
                          <>
                            <StatusIcon shape="differs" />
                            <span className="sr-only">{t('differs from the chain')}</span>
                          </>
                        )}
                        <Value value={balance.inLedger} balance={balance} />
                      </span>
                    </td>
                    <td className={`${CELL} text-right`}>
                      <Value value={balance.committed} balance={balance} />
                    </td>
                    <td className={`${CELL} text-right`}>
                      <Value value={balance.available} balance={balance} strong />
                    </td>
                    <td className={`${CELL} pr-0`}>
                      <Share percent={balance.committedPercent} />
                    </td>
                  </tr>
                );
              })}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
