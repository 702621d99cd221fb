/** Durations, sizes and permission bits, as people write them in the config file and on the command line. */

/** A timer of Node longer than this fires at once (a signed 32-bit count of milliseconds: 24.8 days). */
export const MAX_DURATION_MS = 2 ** 31 - 1;

const DURATION_UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;
const SIZE_UNITS = { B: 1, KB: 1024, MB: 1024 ** 2, GB: 1024 ** 3 } as const;

/** What people write instead of our units, so that the error can say what is right. */
const DURATION_HABITS: readonly [RegExp, keyof typeof DURATION_UNITS][] = [
  [/^(ms|msecs?|millis|milliseconds?)$/i, "ms"],
  [/^(s|secs?|seconds?)$/i, "s"],
  [/^(m|mins?|minutes?)$/i, "m"],
  [/^(h|hrs?|hours?)$/i, "h"],
];
const SIZE_HABITS: readonly [RegExp, keyof typeof SIZE_UNITS][] = [
  [/^(b|bytes?)$/i, "B"],
  [/^ki?b?$/i, "KB"],
  [/^mi?b?$/i, "MB"],
  [/^gi?b?$/i, "GB"],
];

/**
 * Reads `"500ms"`, `"10s"`, `"5m"`, `"1h"`, or a number of milliseconds.
 *
 * @returns milliseconds, a whole number
 * @throws RangeError that says what is wrong and what would be right
 */
export function parseDuration(value: unknown): number {
  const ms =
    typeof value === "number"
      ? value
      : measure(value, DURATION_UNITS, DURATION_HABITS, "a duration", '"500ms", "10s", "5m" or "1h"', "10s");
  if (!Number.isInteger(ms) || ms < 0) {
    throw new RangeError(`${show(value)} is not a whole number of milliseconds, 0 or more`);
  }
  if (ms > MAX_DURATION_MS) throw new RangeError(`${show(value)} is longer than 24 days, the longest timer`);
  return ms;
}

/**
 * Reads `"256MB"`, `"1GB"` (powers of 1024), or a number of bytes.
 *
 * @returns bytes, a whole number
 * @throws RangeError that says what is wrong and what would be right
 */
export function parseSize(value: unknown): number {
  const bytes =
    typeof value === "number"
      ? value
      : measure(value, SIZE_UNITS, SIZE_HABITS, "a size", '"64KB", "256MB" or "1GB"', "256MB");
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    throw new RangeError(`${show(value)} is not a whole number of bytes, 0 or more`);
  }
  return bytes;
}

/**
 * Reads permission bits as chmod(1) takes them: three or four octal digits in a string.
 *
 * @throws RangeError that says what is wrong and what would be right
 */
export function parseMode(value: unknown): number {
  if (typeof value === "string" && /^0?[0-7]{3}$/.test(value)) return Number.parseInt(value, 8);
  const right = 'write three octal digits in a string, such as "0660"';
  if (typeof value === "number") throw new RangeError(`${value} is a decimal number; ${right}`);
  throw new RangeError(`${show(value)} is not a file mode; ${right}`);
}

/** The shortest way to write a duration: `30s` for 30000. */
export function formatDuration(ms: number): string {
  return format(ms, DURATION_UNITS);
}

/** The shortest way to write a size: `64KB` for 65536. */
export function formatSize(bytes: number): string {
  return format(bytes, SIZE_UNITS);
}

/** Four octal digits: `0660`. */
export function formatMode(mode: number): string {
  return mode.toString(8).padStart(4, "0");
}

function measure<Unit extends string>(
  value: unknown,
  units: Readonly<Record<Unit, number>>,
  habits: readonly [RegExp, Unit][],
  what: string,
  forms: string,
  example: string,
): number {
  if (typeof value !== "string") throw new RangeError(`${show(value)} is not ${what}; write ${forms}`);
  const exact = /^(\d+)([A-Za-z]+)$/.exec(value);
  const factor = exact === null ? undefined : ownEntry(units, exact[2]!);
  if (exact !== null && factor !== undefined) return Number(exact[1]) * factor;

  const loose = /^\s*(\d+)\s*([A-Za-z]*)\s*$/.exec(value);
  if (loose !== null && loose[2] === "") {
    throw new RangeError(`${show(value)} has no unit; write ${forms}, such as "${example}"`);
  }
  const meant = habits.find(([habit]) => loose !== null && habit.test(loose[2]!))?.[1];
  const right = loose !== null && meant !== undefined ? `"${loose[1]}${meant}"` : forms;
  throw new RangeError(`${show(value)} is not ${what}; write ${right}`);
}

/** Own properties only: `"3constructor"` is not a duration. */
function ownEntry(units: Readonly<Record<string, number>>, name: string): number | undefined {
  return Object.hasOwn(units, name) ? units[name] : undefined;
}

function format(amount: number, units: Readonly<Record<string, number>>): string {
  const largestFirst = Object.entries(units).reverse();
  const [unit, factor] = largestFirst.find(([, size]) => amount >= size && amount % size === 0) ?? ["", 1];
  return unit === "" ? `0${largestFirst.at(-1)![0]}` : `${amount / factor}${unit}`;
}

/** A value as an error message quotes it: short, on one line, whatever it is. */
export function show(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a list";
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
    case "number":
    case "boolean":
      return String(value);
    case "object":
      return "an object";
    case "undefined":
      return "nothing";
    default:
      return `a ${typeof value}`;
  }
}
