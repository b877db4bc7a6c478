import { Address, addressGroups, differingGroups } from '../../kit/address';

const LIST = /^0x[0-9a-fA-F]{40}(, 0x[0-9a-fA-F]{40})*$/;

/** What a field of a change says; where an address takes the place of another, the groups that differ are marked. */
export function FieldValue(props: { value: string; beside?: string | null; two?: boolean }) {
  const { value, beside } = props;
  if (LIST.test(value)) {
    return (
      <span className="flex flex-col items-start gap-0.5 font-normal">
        {value.split(', ').map((address) => {
          const apart = beside && addressGroups(beside) ? differingGroups(beside, address) : [];
          return (
            <Address
              key={address}
              address={address}
              two={props.two ?? false}
              marked={apart.length < 10 ? apart : []}
            />
          );
        })}
      </span>
    );
  }
  if (/^[0-9a-f]{64}$/.test(value)) {
    return (
      <span className="break-all font-mono text-small" data-exact={value}>
        {value}
      </span>
    );
  }
  return <span className="break-words">{value}</span>;
}
