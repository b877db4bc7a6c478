/** A batch apart from the database, made up. */
import type { BatchFileView, LegHashes, QrCode } from '../../contract/types';
import type { FakeBatch } from './batch';

const SIZE = 45;

/** Looks like a code and holds nothing: three finders, and modules by the digits of a hash. */
export function fakeCode(hashes: LegHashes): QrCode {
  const digits = hashes.safeTxHash.slice(2);
  const finder = (x: number, y: number): boolean | null => {
    for (const [left, top] of [
      [0, 0],
      [SIZE - 7, 0],
      [0, SIZE - 7],
    ] as const) {
      const ring = Math.max(Math.abs(x - left - 3), Math.abs(y - top - 3));
      if (ring <= 4) return ring !== 2 && ring !== 4;
    }
    return null;
  };
  const dark = (x: number, y: number) =>
    finder(x, y) ??
    (Number.parseInt(digits[(x * 7 + y * 13) % 64] ?? '0', 16) >> ((x + y) % 4)) % 2 === 1;
  const axis = Array.from({ length: SIZE }, (_, at) => at);
  return { rows: axis.map((y) => axis.map((x) => (dark(x, y) ? '1' : '0')).join('')) };
}

/** What verifying the file of a batch shows. */
export function fileOf({ detail, approvedBy }: FakeBatch, program: string): BatchFileView {
  return {
    fileName: `batch-${detail.summary.number}.json`,
    program,
    number: detail.summary.number,
    title: detail.summary.title,
    safe: detail.safe.address,
    chainId: detail.safe.chainId,
    contentHash: detail.contentHash ?? '',
    submittedBy: [detail.summary.preparedBy],
    approvedBy,
    legs: detail.legs.flatMap((leg) =>
      leg.hashes
        ? [
            {
              index: leg.index,
              nonce: leg.nonce ?? '',
              totals: leg.totals,
              hashes: leg.hashes,
              code: fakeCode(leg.hashes),
              lines: detail.lines
                .filter((line) => line.leg === leg.index)
                .map(({ line, recipient, money, reference }) => ({
                  line,
                  recipient,
                  money,
                  reference,
                })),
            },
          ]
        : [],
    ),
  };
}
