/** Figures as people read them. What is not known is a dash. */

const UNKNOWN = "-";

/** `3 ms`, `1.2 s`, `4 m 10 s`, `3 h 4 m`, `2 d 3 h`. */
export function humanDuration(ms: number | null): string {
  if (ms === null) return UNKNOWN;
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9_950) return `${(ms / 1000).toFixed(1)} s`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3_600) return pair(seconds, 60, "m", 1, "s");
  const minutes = Math.floor(seconds / 60);
  return minutes < 24 * 60 ? pair(minutes, 60, "h", 1, "m") : pair(minutes, 24 * 60, "d", 60, "h");
}

/** `512 B`, `54 MB`, `1.2 GB`; powers of 1024. */
export function humanBytes(bytes: number | null): string {
  if (bytes === null) return UNKNOWN;
  const units = ["B", "KB", "MB", "GB", "TB"];
  let amount = bytes;
  let unit = 0;
  while (amount >= 1023.5 && unit < units.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${unit > 0 && amount < 9.95 ? amount.toFixed(1) : Math.round(amount)} ${units[unit]}`;
}

/** `1,234,567`. */
export function humanCount(count: number | null): string {
  return count === null ? UNKNOWN : String(Math.round(count)).replaceAll(/\B(?=(\d{3})+$)/g, ",");
}

/** `0.4` below ten, whole above. */
export function humanRate(rate: number | null): string {
  if (rate === null) return UNKNOWN;
  return rate > 0 && rate < 9.95 ? rate.toFixed(1) : humanCount(rate);
}

/** `14:03:59.120`, and with the day in front of it when that is not today's; local time. */
export function humanTime(at: number, now: number): string {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return UNKNOWN;
  const two = (value: number) => String(value).padStart(2, "0");
  const millis = String(date.getMilliseconds()).padStart(3, "0");
  const time = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${millis}`;
  if (date.toDateString() === new Date(now).toDateString()) return time;
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${time}`;
}

/** `1 worker`, `2 workers`. */
export function plural(count: number, noun: string): string {
  return `${humanCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}

function pair(amount: number, size: number, big: string, unit: number, small: string): string {
  const rest = Math.floor((amount % size) / unit);
  return `${Math.floor(amount / size)} ${big}${rest === 0 ? "" : ` ${rest} ${small}`}`;
}
