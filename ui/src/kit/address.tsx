/** The ten groups of four of an address, without `0x`; `null` if the text is no address. */
export function addressGroups(address: string): string[] | null {
  if (!/^0x[0-9a-fA-F]{40}$/.test(address)) return null;
  return address.slice(2).match(/.{4}/g);
}

/** Numbers (from 1) of the groups in which two addresses differ. */
export function differingGroups(a: string, b: string): number[] {
  const left = addressGroups(a);
  const right = addressGroups(b);
  if (!left || !right) return [];
  return left.flatMap((group, index) =>
    group.toLowerCase() === right[index]?.toLowerCase() ? [] : [index + 1],
  );
}

export interface AddressProps {
  address: string;
  /** Two lines of five groups, the second aligned under the first. */
  two?: boolean;
  /** Groups to mark, from 1. */
  marked?: readonly number[];
  className?: string;
}

/** An address in full. All groups are equally strong, and the text stays one word for copying. */
export function Address(props: AddressProps) {
  const groups = addressGroups(props.address);
  if (!groups) return <span className="addr">{props.address}</span>;
  const half = (from: number) => (
    <span className="addr-half">
      {groups.slice(from, from + 5).map((group, index) => (
        <span
          key={index}
          className={`addr-g ${props.marked?.includes(from + index + 1) ? 'mark' : ''}`}
        >
          {group}
        </span>
      ))}
    </span>
  );
  return (
    <span
      className={`addr ${props.two ? 'addr-two' : ''} ${props.className ?? ''}`}
      data-exact={props.address}
    >
      <span className="addr-0x">0x</span>
      {half(0)}
      {half(5)}
    </span>
  );
}

/** Only beside a name, on overviews. */
export function ShortAddress(props: { address: string }) {
  const body = props.address.slice(2);
  return (
    <span
      className="font-mono text-small text-ink3"
      data-exact={props.address}
      title={props.address}
    >
      {`${body.slice(0, 4)}…${body.slice(-4)}`}
    </span>
  );
}
