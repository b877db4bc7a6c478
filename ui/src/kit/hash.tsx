/**
 * Hashes broken as the device breaks them.
 *
 * The Nano's screens set text in its 11 px Open Sans and break a line when the next letter would
 * pass 114 px. These widths and that limit give every line recorded from the Ethereum app 1.22.0.
 */
const LINE_PX = 114;
const DIGIT_PX = 6;
const LETTER_PX: Record<string, number> = { '4': 8, A: 7, B: 7, C: 7, D: 8, E: 6, F: 6, x: 6 };

/** `0x` and the digits in upper case, in the lines of the device. */
export function deviceLines(hash: string): string[] {
  const text = `0x${hash.replace(/^0x/, '').toUpperCase()}`;
  const lines: string[] = [];
  let line = '';
  let width = 0;
  for (const letter of text) {
    const step = LETTER_PX[letter] ?? DIGIT_PX;
    if (width + step > LINE_PX) {
      lines.push(line);
      line = '';
      width = 0;
    }
    line += letter;
    width += step;
  }
  return line ? [...lines, line] : lines;
}

/** A hash to compare with a device, letter by letter. */
export function DeviceHash(props: { hash: string }) {
  return (
    <div className="font-mono text-hash font-medium" data-exact={props.hash}>
      {deviceLines(props.hash).map((line, index) => (
        <div key={index}>
          {index === 0 ? (
            <>
              <span className="text-ink3">0x</span>
              {line.slice(2)}
            </>
          ) : (
            line
          )}
        </div>
      ))}
    </div>
  );
}

/** A hash that nobody compares with a device: it wraps where it must. */
export function PlainHash(props: { hash: string; className?: string }) {
  return (
    <span
      className={`font-mono text-small break-all ${props.className ?? ''}`}
      data-exact={props.hash}
    >
      {props.hash}
    </span>
  );
}

/** The beginning of a hash in groups of four, for a line that only names it. */
export function ShortHash(props: { hash: string; groups?: number }) {
  const body = props.hash.replace(/^0x/, '');
  return (
    <span className="font-mono text-small" data-exact={props.hash} title={props.hash}>
      {`${
        body
          .slice(0, 4 * (props.groups ?? 4))
          .match(/.{1,4}/g)
          ?.join(' ') ?? body
      } …`}
    </span>
  );
}
