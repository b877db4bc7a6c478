import { t } from './say';

/** Light modules around a code, so that cameras find it. */
const BORDER = 4;

/** The dark modules of a code as one path: a run of them is one bar. */
export function qrPath(rows: readonly string[]): string {
  return rows
    .flatMap((row, y) =>
      [...row.matchAll(/1+/g)].map(
        (run) => `M${run.index + BORDER} ${y + BORDER}h${run[0].length}v1h-${run[0].length}z`,
      ),
    )
    .join('');
}

/** A QR code, dark on light in every theme: cameras read no other. */
export function Qr(props: { rows: readonly string[]; label?: string }) {
  const side = props.rows.length + 2 * BORDER;
  return (
    <svg
      role="img"
      aria-label={props.label ?? t('QR code')}
      viewBox={`0 0 ${side} ${side}`}
      shapeRendering="crispEdges"
      className="block size-64 max-w-full border border-line2"
    >
      <rect width={side} height={side} fill="#ffffff" />
      <path d={qrPath(props.rows)} fill="#000000" />
    </svg>
  );
}
