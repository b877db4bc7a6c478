/** What choosing a payout file gives. */
import type { FilePreview } from '../../contract/types';
import { type FakeBatch, payoutLines, sumOf } from './batch';
import type { FakeOptions } from './fake';

/** The preview of a good file, a bad one, or one that is a batch already. */
export function previewOf(
  kind: NonNullable<FakeOptions['file']>,
  imported: FakeBatch | null,
): FilePreview | null {
  if (kind === 'none') return null;
  const lines = payoutLines('PENDING').map(({ line, recipient, money }) => ({
    line,
    payee: null,
    recipient,
    money,
    reference: '',
  }));
  const bad = kind === 'bad';
  return {
    token: 'preview-1',
    fileName: 'cow-solver-payouts-2023-02-07-to-2023-02-14.csv',
    sha256: '9c1f0ab2'.repeat(8),
    lines: bad ? [] : lines,
    totals: bad ? [] : sumOf(lines),
    errors: bad
      ? [
          { fileLine: 5, field: 'amount', message: '12,5 is not an amount: write 12.5.' },
          {
            fileLine: 9,
            field: 'receiver',
            message:
              'The last letter does not fit the checksum. Paste the address again from its source.',
          },
          { fileLine: 21, field: 'amount', message: '19 decimals; COW has 18. Nothing was cut.' },
        ]
      : [],
    already: imported
      ? {
          batchId: imported.detail.summary.id,
          number: imported.detail.summary.number,
          state: imported.detail.summary.state,
          period: imported.detail.file?.period ?? '',
        }
      : kind === 'again'
        ? {
            batchId: '0193b000-0000-7000-8000-000000000147',
            number: 147,
            state: 'PENDING_APPROVAL',
            period: '2023-02-07 to 2023-02-14',
          }
        : null,
  };
}
