/** The amount, the payees and the Safe of a batch, before something is done with it. */
import type { BatchDetail } from '../../contract/types';
import { Address } from '../../kit/address';
import { MoneyText } from '../../kit/amount';
import { t } from '../../kit/say';

function Amounts(props: { batch: BatchDetail }) {
  return props.batch.summary.totals.map((total) => (
    <div key={total.asset.symbol} className="text-window font-semibold">
      <MoneyText money={total} strong />
    </div>
  ));
}

/** What is at stake, as rows. */
export function stake(batch: BatchDetail) {
  const { payees, lines } = batch.summary;
  return [
    { name: t('Amount'), value: <Amounts batch={batch} /> },
    {
      name: t('To'),
      value: (
        <>
          <strong className="font-semibold">
            {t('{payees, plural, one {# payee} other {# payees}}', { payees })}
          </strong>
          {', '}
          {t('{lines, plural, one {# line} other {# lines}}', { lines })}
          {batch.legs.length > 0
            ? `, ${t('{legs, plural, one {# transaction} other {# transactions}}', { legs: batch.legs.length })}`
            : null}
        </>
      ),
    },
    {
      name: t('From'),
      value: (
        <>
          <span className="block font-semibold">{batch.safe.name}</span>
          <Address address={batch.safe.address} />
        </>
      ),
    },
  ];
}
