import type { AssetTag, Money } from '../contract/types';
import {
  cutFraction,
  fractionGroups,
  inWords,
  isZero,
  leastFraction,
  padFraction,
  parseDecimal,
  wholeGroups,
} from './decimal';

export interface AmountProps {
  /** Plain decimal. */
  value: string;
  /** Decimals of its asset. */
  decimals: number;
  /** Width of the fraction in digits, so that the points of a column stand in one line. */
  slot?: number;
  /** Overviews may cut after so many digits; what is cut ends in an ellipsis. */
  cut?: number;
  /** Show a plus sign, for differences. */
  signed?: boolean;
  /** Keep all digits equally strong, for an amount at stake. */
  strong?: boolean;
  /** Digits to mark, counted from 0 without separators. */
  marked?: ReadonlySet<number>;
  className?: string;
}

/** Digits from here on are muted: nobody reads the seventh decimal first. */
const LATE = 6;

function gaps(digits: number): number {
  return digits > 0 ? Math.floor((digits - 1) / 3) : 0;
}

function Digits(props: { text: string; from: number; marked?: ReadonlySet<number> | undefined }) {
  if (!props.marked) return props.text;
  return [...props.text].map((digit, index) =>
    props.marked?.has(props.from + index) ? (
      <b key={index} className="mark">
        {digit}
      </b>
    ) : (
      digit
    ),
  );
}

/** An exact amount. `data-exact` is what copying gives, even where the screen cuts. */
export function Amount(props: AmountProps) {
  const parsed = parseDecimal(props.value);
  if (!parsed) return <span className="font-mono text-danger">{props.value}</span>;
  const cut = props.cut === undefined ? null : cutFraction(parsed.fraction, props.cut);
  const fraction = cut ? cut.kept : padFraction(parsed.fraction, leastFraction(props.decimals));
  const slot = props.slot ?? (cut ? fraction.length : 0);
  const zero = isZero(props.value);
  const sign = parsed.negative ? 'amt-minus' : props.signed && !zero ? 'amt-plus' : '';
  let position = parsed.whole.length;
  return (
    <span
      className={`amt ${slot > 0 ? 'amt-slot' : ''} ${zero ? 'amt-zero' : ''} ${props.className ?? ''}`}
      data-exact={props.value}
    >
      <span className={`amt-w ${sign}`}>
        {parsed.negative ? <span className="sr-only">-</span> : null}
        {wholeGroups(parsed.whole).map((group, index, all) => {
          const from = all.slice(0, index).join('').length;
          return (
            <span key={index}>
              <Digits text={group} from={from} marked={props.marked} />
            </span>
          );
        })}
      </span>
      <span
        className={`amt-f ${cut ? 'amt-tight' : ''} ${cut?.cut ? 'amt-cut' : ''}`}
        style={
          slot > 0
            ? { minWidth: `calc(${slot}ch + ${cut ? 1.2 : gaps(slot) * 0.16 + 0.28}em)` }
            : undefined
        }
      >
        {fraction ? '.' : null}
        {fractionGroups(fraction).map((group, index) => {
          const from = position;
          position += group.length;
          const late = index * 3 >= LATE && !props.strong;
          return (
            <span key={index} className={late ? 'amt-late' : undefined}>
              <Digits text={group} from={from} marked={props.marked} />
            </span>
          );
        })}
      </span>
    </span>
  );
}

/** An amount with its asset behind it, muted. */
export function MoneyText(props: Omit<AmountProps, 'value' | 'decimals'> & { money: Money }) {
  const { money, ...rest } = props;
  return (
    <span className="inline-flex items-baseline gap-1.5 whitespace-nowrap">
      <Amount value={money.amount} decimals={money.asset.decimals} {...rest} />
      <Asset asset={money.asset} />
    </span>
  );
}

/** The asset beside an amount; its token address shows on hover and to screen readers. */
export function Asset(props: { asset: AssetTag }) {
  return (
    <span className="text-small text-ink3" title={props.asset.token ?? undefined}>
      {props.asset.symbol}
    </span>
  );
}

/** Amounts in a sentence: `442,786.4239935922618 COW and 69.594461273223693556 ETH`. */
export function moneyInWords(totals: readonly Money[]): string {
  const parts = totals.map(
    ({ amount, asset }) => `${inWords(amount, asset.decimals)} ${asset.symbol}`,
  );
  return new Intl.ListFormat('en', { type: 'conjunction' }).format(parts);
}
