/**
 * Exact decimals as strings. Nothing here makes a `number` of an amount: whole numbers of base
 * units pass through `BigInt`, everything else stays text.
 */

/** A plain decimal taken apart. */
export interface Decimal {
  negative: boolean;
  /** Digits before the point, at least one, no leading zeros. */
  whole: string;
  /** Digits after the point as written; empty when there is no point. */
  fraction: string;
}

const PLAIN = /^(-?)(\d+)(?:\.(\d+))?$/;

/** Takes a plain decimal apart; `null` when the text is none. */
export function parseDecimal(text: string): Decimal | null {
  const found = PLAIN.exec(text);
  if (!found) return null;
  const whole = (found[2] ?? '0').replace(/^0+(?=\d)/, '');
  const fraction = found[3] ?? '';
  const zero = /^0*$/.test(whole) && /^0*$/.test(fraction);
  return { negative: found[1] === '-' && !zero, whole, fraction };
}

/** Whether the amount is nothing at all. */
export function isZero(text: string): boolean {
  return /^-?0+(\.0+)?$/.test(text);
}

/** Digits in threes counted from the right: `1204118` is `1`, `204`, `118`. */
export function wholeGroups(whole: string): string[] {
  const first = whole.length % 3;
  const groups = first > 0 ? [whole.slice(0, first)] : [];
  for (let at = first; at < whole.length; at += 3) groups.push(whole.slice(at, at + 3));
  return groups;
}

/** Digits in threes counted from the point: `6394` is `639`, `4`. */
export function fractionGroups(fraction: string): string[] {
  const groups: string[] = [];
  for (let at = 0; at < fraction.length; at += 3) groups.push(fraction.slice(at, at + 3));
  return groups;
}

/** The fraction without trailing zeros, then padded to at least `least` digits. */
export function padFraction(fraction: string, least: number): string {
  return fraction.replace(/0+$/, '').padEnd(least, '0');
}

/** The first `digits` of a fraction, and whether anything but zeros was left out. Never rounds. */
export function cutFraction(fraction: string, digits: number): { kept: string; cut: boolean } {
  return {
    kept: fraction.slice(0, digits).padEnd(digits, '0'),
    cut: /[1-9]/.test(fraction.slice(digits)),
  };
}

/** Digits after the point that an asset with `decimals` shows at the least. */
export function leastFraction(decimals: number): number {
  return Math.min(decimals, 6);
}

/** How many fraction digits the widest of some amounts shows in full. */
export function widestFraction(amounts: readonly { amount: string; decimals: number }[]): number {
  return amounts.reduce((widest, { amount, decimals }) => {
    const parsed = parseDecimal(amount);
    if (!parsed) return widest;
    return Math.max(widest, padFraction(parsed.fraction, leastFraction(decimals)).length);
  }, 0);
}

function scaled(value: Decimal, digits: number): bigint {
  const size = BigInt(value.whole + value.fraction.padEnd(digits, '0'));
  return value.negative ? -size : size;
}

function together(a: string, b: string): [bigint, bigint, number] {
  const left = parseDecimal(a);
  const right = parseDecimal(b);
  if (!left || !right) throw new Error(`not a plain decimal: ${left ? b : a}`);
  const digits = Math.max(left.fraction.length, right.fraction.length);
  return [scaled(left, digits), scaled(right, digits), digits];
}

function fromScaled(value: bigint, digits: number): string {
  const text = (value < 0n ? -value : value).toString().padStart(digits + 1, '0');
  const whole = text.slice(0, text.length - digits);
  const fraction = text.slice(text.length - digits).replace(/0+$/, '');
  return `${value < 0n ? '-' : ''}${whole}${fraction ? `.${fraction}` : ''}`;
}

/** Exact sum. */
export function addDecimals(a: string, b: string): string {
  const [left, right, digits] = together(a, b);
  return fromScaled(left + right, digits);
}

/** Order of two amounts: negative, zero or positive, as `sort` wants it. */
export function compareDecimals(a: string, b: string): number {
  const [left, right] = together(a, b);
  if (left === right) return 0;
  return left < right ? -1 : 1;
}

/** `part` in tenths of a percent of `whole`, cut, 0 to 1000; only for the length of a bar. */
export function permille(part: string, whole: string): number {
  const [left, right] = together(part, whole);
  if (right <= 0n || left <= 0n) return 0;
  const share = (left * 1000n) / right;
  return Number(share > 1000n ? 1000n : share);
}

/** The amount as one reads it aloud or in a sentence: `442,786.4239935922618`. */
export function inWords(text: string, decimals: number): string {
  const parsed = parseDecimal(text);
  if (!parsed) return text;
  const fraction = padFraction(parsed.fraction, leastFraction(decimals));
  const whole = wholeGroups(parsed.whole).join(',');
  return `${parsed.negative ? '−' : ''}${whole}${fraction ? `.${fraction}` : ''}`;
}

/** Positions (from 0, counted over whole, point and fraction) at which two amounts differ. */
export function differingDigits(a: string, b: string): { left: Set<number>; right: Set<number> } {
  const align = (text: string, other: string) => {
    const [whole = '', fraction = ''] = text.replace('-', '').split('.');
    const [otherWhole = '', otherFraction = ''] = other.replace('-', '').split('.');
    const wide = Math.max(whole.length, otherWhole.length);
    const deep = Math.max(fraction.length, otherFraction.length);
    return {
      digits: whole.padStart(wide, ' ') + fraction.padEnd(deep, '0'),
      skip: wide - whole.length,
    };
  };
  const one = align(a, b);
  const two = align(b, a);
  const left = new Set<number>();
  const right = new Set<number>();
  for (let at = 0; at < one.digits.length; at += 1) {
    if (one.digits[at] === two.digits[at]) continue;
    if (at >= one.skip) left.add(at - one.skip);
    if (at >= two.skip) right.add(at - two.skip);
  }
  return { left, right };
}
