import { t } from '../../kit/say';

/** Kinds of commissions. */
export const COMMISSION_KINDS = ['DIRECT', 'OVERRIDE', 'CLAW_BACK'];

/** A kind of commission in a word. */
export function commissionWord(kind: string): string {
  const words: Record<string, string> = {
    DIRECT: t('Direct'),
    OVERRIDE: t('Override'),
    CLAW_BACK: t('Taken back'),
  };
  return words[kind] ?? kind;
}

/** A rate as a percentage, exact: `0.10000000` is `10`. */
export function percent(rate: string): string {
  const [whole = '0', fraction = ''] = rate.split('.');
  const digits = `${whole}${fraction.padEnd(2, '0')}`;
  const left = digits.slice(0, whole.length + 2).replace(/^0+(?=\d)/, '');
  const right = digits.slice(whole.length + 2).replace(/0+$/, '');
  return right ? `${left}.${right}` : left;
}
