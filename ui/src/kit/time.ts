/** Times are UTC on the wire; on screen they stand in the program's zone, which is named. */

const cache = new Map<string, Intl.DateTimeFormat>();

function format(key: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const known = cache.get(key);
  if (known) return known;
  const made = new Intl.DateTimeFormat('en-GB', options);
  cache.set(key, made);
  return made;
}

function parts(at: string, zone: string): Record<string, string> {
  const made = format(`full ${zone}`, {
    timeZone: zone,
    year: 'numeric',
    month: 'short',
    day: 'numeric',
    weekday: 'short',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZoneName: 'short',
  });
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return {};
  return Object.fromEntries(made.formatToParts(date).map((part) => [part.type, part.value]));
}

/** `17 Nov 2026, 16:42` */
export function dateTime(at: string, zone = 'UTC'): string {
  const p = parts(at, zone);
  return p.day ? `${p.day} ${p.month} ${p.year}, ${p.hour}:${p.minute}` : at;
}

/** `2026-11-17`: the day in the zone, as one filters by it. */
export function dayOf(at: string, zone = 'UTC'): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const of = Object.fromEntries(
    format(`day ${zone}`, { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
      .formatToParts(date)
      .map((part) => [part.type, part.value]),
  );
  return `${of.year}-${of.month}-${of.day}`;
}

/** `16:42:08` */
export function clock(at: string, zone = 'UTC'): string {
  const p = parts(at, zone);
  return p.hour ? `${p.hour}:${p.minute}:${p.second}` : at;
}

/** `16:42` */
export function hourMinute(at: string, zone = 'UTC'): string {
  const p = parts(at, zone);
  return p.hour ? `${p.hour}:${p.minute}` : at;
}

/** `UTC`, `CET`: the zone in which the times beside it stand. */
export function zoneName(at: string, zone = 'UTC'): string {
  return parts(at, zone).timeZoneName ?? zone;
}

/** `1 h 18 min`, `4 s`: a span in its two largest units, never negative. */
export function span(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  return `${Math.floor(hours / 24)} days`;
}

/** `1,204`: whole counts only, never amounts. */
export function count(value: number): string {
  return new Intl.NumberFormat('en').format(value);
}

/** A whole number that came as text, grouped. */
export function countText(value: string): string {
  return value.replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}
