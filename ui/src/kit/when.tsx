import { dateTime, zoneName } from './time';

/** A moment in a zone, which it names. */
export function When(props: { at: string; zone: string }) {
  return (
    <span className="whitespace-nowrap">
      {dateTime(props.at, props.zone)}{' '}
      <span className="text-ink3">{zoneName(props.at, props.zone)}</span>
    </span>
  );
}
