import type { Period } from '../../contract/types';
import { dayWrong } from '../../kit/day';
import { t } from '../../kit/say';

function today(now: Date, zone: string): { year: number; month: number } {
  const parts = new Intl.DateTimeFormat('en', {
    timeZone: zone,
    year: 'numeric',
    month: 'numeric',
  }).formatToParts(now);
  const of = (type: string) =>
    Number.parseInt(parts.find((part) => part.type === type)?.value ?? '0', 10);
  return { year: of('year'), month: of('month') };
}

function iso(year: number, month: number, day: number): string {
  return `${year}-${String(month).padStart(2, '0')}-${String(day).padStart(2, '0')}`;
}

/** The whole month that lies `months` away from now, in the zone of the program. */
export function monthOf(now: Date, zone: string, months: number): Period {
  const { year, month } = today(now, zone);
  const first = new Date(Date.UTC(year, month - 1 + months, 1));
  const last = new Date(Date.UTC(first.getUTCFullYear(), first.getUTCMonth() + 1, 0));
  const y = first.getUTCFullYear();
  const m = first.getUTCMonth() + 1;
  return { from: iso(y, m, 1), to: iso(y, m, last.getUTCDate()) };
}

/** The whole year of now, in the zone of the program. */
export function yearOf(now: Date, zone: string): Period {
  const { year } = today(now, zone);
  return { from: iso(year, 1, 1), to: iso(year, 12, 31) };
}

/** What is wrong with each end of a period. */
export function dateWrong(period: Period): { from: string | undefined; to: string | undefined } {
  const from = dayWrong(period.from);
  const to =
    dayWrong(period.to) ??
    (!from && period.to < period.from ? t('It ends before it begins') : undefined);
  return { from, to };
}
