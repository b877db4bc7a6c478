import type { DiscrepancyView, SideField } from '../../contract/types';
import { Address, differingGroups } from '../../kit/address';
import { Amount, Asset } from '../../kit/amount';
import { differingDigits, inWords, isZero } from '../../kit/decimal';
import { PlainHash } from '../../kit/hash';
import { SectionHead } from '../../kit/layout';
import { LinkButton } from '../../kit/link';
import { t } from '../../kit/say';
import { kindShape, State, Status, StatusIcon } from '../../kit/status';

function Side(props: { field: SideField; side: 'left' | 'right'; item: DiscrepancyView }) {
  const { field, item } = props;
  const mine = field[props.side];
  const other = field[props.side === 'left' ? 'right' : 'left'];
  if (mine === null) {
    return <Status shape="missing">{t('nothing here')}</Status>;
  }
  if (field.kind === 'amount') {
    const marks = other !== null && field.differs ? differingDigits(mine, other).left : undefined;
    return (
      <span
        className={`inline-flex items-baseline gap-1.5 ${field.differs ? 'text-window font-semibold' : ''}`}
      >
        <Amount
          value={mine}
          decimals={item.asset.decimals}
          strong
          {...(marks ? { marked: marks } : {})}
        />
        <Asset asset={item.asset} />
      </span>
    );
  }
  if (field.kind === 'address') {
    return (
      <Address
        address={mine}
        two
        marked={other !== null && field.differs ? differingGroups(mine, other) : []}
      />
    );
  }
  if (field.kind === 'hash') return <PlainHash hash={mine} />;
  return <span className="break-words">{mine}</span>;
}

/** Which way the amounts differ, in words. */
export function differenceInWords(item: DiscrepancyView): string {
  const size = inWords(item.difference.replace('-', ''), item.asset.decimals);
  if (isZero(item.difference)) return t('The amounts agree');
  return item.difference.startsWith('-')
    ? t('{name} is {size} {asset} lower', { name: item.leftName, size, asset: item.asset.symbol })
    : t('{name} is {size} {asset} higher', { name: item.leftName, size, asset: item.asset.symbol });
}

/** The two sides of a discrepancy beside each other; what differs is tinted and named. */
export function TwoSides(props: { item: DiscrepancyView }) {
  const { item } = props;
  return (
    <section aria-label={t('Discrepancy {number}, two sides', { number: item.number })}>
      <SectionHead title={t('D-{number}, two sides', { number: item.number })}>
        <Status shape={kindShape(item.kind)} className="text-body">
          {differenceInWords(item)}
        </Status>
      </SectionHead>
      <p className="flex flex-wrap items-center gap-x-4 gap-y-1 pb-2 text-ink2">
        {item.title}
        <State state={item.state} />
        {item.batchId ? (
          <LinkButton to="/batches/$id" params={{ id: item.batchId }}>
            {t('Open {subject}', { subject: item.subject })}
          </LinkButton>
        ) : null}
      </p>
      <div className="overflow-x-auto" role="region" tabIndex={0} aria-label={t('Two sides')}>
        <table className="w-full border-collapse border border-line2">
          <thead>
            <tr className="bg-sunk">
              <td className="w-24 px-3 py-1.5" />
              <th scope="col" className="px-3 py-1.5 text-left font-semibold">
                {item.leftName}
              </th>
              <td className="w-10" />
              <th scope="col" className="px-3 py-1.5 text-left font-semibold">
                {item.rightName}
              </th>
            </tr>
          </thead>
          <tbody>
            {item.fields.map((field) => (
              <tr
                key={field.label}
                className={
                  field.differs ? 'border-y border-warn bg-warn-soft' : 'border-b border-line'
                }
              >
                <th
                  scope="row"
                  className={`px-3 py-2 text-left align-top font-normal ${field.differs ? 'font-semibold text-warn' : 'text-ink3'}`}
                >
                  {field.label}
                </th>
                <td className="px-3 py-2 align-top">
                  <Side field={field} side="left" item={item} />
                </td>
                <td className="py-2 text-center align-top text-ink3">
                  {field.differs ? (
                    <>
                      <span className="inline-block pt-0.5">
                        <StatusIcon shape="differs" />
                      </span>
                      <span className="sr-only">{t('differs from')}</span>
                    </>
                  ) : field.left !== field.right ? null : (
                    <>
                      <span aria-hidden="true">=</span>
                      <span className="sr-only">{t('equals')}</span>
                    </>
                  )}
                </td>
                <td className="px-3 py-2 align-top">
                  <Side field={field} side="right" item={item} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
