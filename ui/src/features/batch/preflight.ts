/** What the chain says of a batch, laid over what the rows say. */
import type { ApiError, BatchDetail, BatchPreflight, Check } from '../../contract/types';
import { t } from '../../kit/say';

interface Asked {
  data?: BatchPreflight | undefined;
  error: ApiError | null;
  isFetching: boolean;
}

function state(asked: Asked): Check | null {
  if (asked.error) return { level: 'UNKNOWN', label: t('Chain'), detail: asked.error.message };
  if (!asked.data)
    return { level: 'UNKNOWN', label: t('Chain'), detail: t('is being asked about every line') };
  return null;
}

/** The batch with every line's warnings and the checks as they were found; as it is where the chain is not asked. */
export function withPreflight(batch: BatchDetail, asked: Asked | null): BatchDetail {
  if (!asked) return batch;
  const found = asked.error ? undefined : asked.data;
  const warnings = new Map(found?.lines.map((line) => [line.line, line.warnings]));
  const own = state(asked);
  const checks = found?.checks ?? [];
  const labels = new Set(checks.map((check) => check.label));
  return {
    ...batch,
    lines: batch.lines.map((line) => ({
      ...line,
      warnings: warnings.get(line.line) ?? line.warnings,
    })),
    checks: [
      ...checks.filter((check) => check.level === 'BLOCK'),
      ...batch.checks.filter((check) => !labels.has(check.label) && check.label !== own?.label),
      ...(own ? [own] : []),
      ...checks.filter((check) => check.level !== 'BLOCK'),
    ],
  };
}
