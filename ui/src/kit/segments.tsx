import { ToggleButton, ToggleButtonGroup } from 'react-aria-components';

/** One of a few views, side by side. */
export function Segments<Id extends string>(props: {
  label: string;
  value: Id;
  onChange: (id: Id) => void;
  options: { id: Id; label: string }[];
}) {
  return (
    <ToggleButtonGroup
      aria-label={props.label}
      selectionMode="single"
      disallowEmptySelection
      selectedKeys={[props.value]}
      onSelectionChange={(keys) => {
        const found = props.options.find((option) => keys.has(option.id));
        if (found) props.onChange(found.id);
      }}
      className="inline-flex rounded-ctl border border-ctl"
    >
      {props.options.map((option) => (
        <ToggleButton
          key={option.id}
          id={option.id}
          className="min-h-6 border-r border-line2 px-2.5 text-ink2 first:rounded-l-ctl last:rounded-r-ctl last:border-r-0 hover:bg-sunk data-[selected]:bg-accent-soft data-[selected]:font-semibold data-[selected]:text-accent"
        >
          {option.label}
        </ToggleButton>
      ))}
    </ToggleButtonGroup>
  );
}
