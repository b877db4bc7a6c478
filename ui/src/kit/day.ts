import { t } from './say';

/** What is wrong with a day as it was typed, and how to write it; nothing when it is right. */
export function dayWrong(text: string): string | undefined {
  if (!/^\d{4}-\d{2}-\d{2}$/.test(text)) return t('Write it as 2026-11-30');
  const day = new Date(`${text}T00:00:00Z`);
  if (Number.isNaN(day.getTime()) || day.toISOString().slice(0, 10) !== text)
    return t('There is no such day');
  return undefined;
}
