import { dateTime, zoneName } from '../../kit/time';
import { useSession } from './session';

/** A moment in the program's zone, which is named. */
export function At(props: { at: string }) {
  const zone = useSession().program.timeZone;
  return (
    <span className="whitespace-nowrap">
      {dateTime(props.at, zone)} <span className="text-ink3">{zoneName(props.at, zone)}</span>
    </span>
  );
}
