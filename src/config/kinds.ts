/** The simple kinds of values that options have. */

import { resolve } from "node:path";
import { type Kind, requireText, scalar } from "./kind.ts";
import { parseDuration, parseMode, parseSize, show } from "./units.ts";

export function text(options: { label?: string; pattern?: RegExp; right?: string } = {}): Kind<string> {
  const { label = "string", pattern, right } = options;
  return scalar({
    label,
    schema: pattern === undefined ? { type: "string" } : { type: "string", pattern: pattern.source },
    parse(value) {
      const string = requireText(value);
      if (pattern !== undefined && !pattern.test(string)) throw new RangeError(`${show(string)} ${right}`);
      return string;
    },
  });
}

/** A file or folder, made absolute; a relative path starts at the config file's folder. */
export function path(): Kind<string> {
  return scalar({
    label: "path",
    schema: { type: "string", minLength: 1 },
    parse(value, context) {
      const given = requireText(value);
      if (given === "") throw new RangeError("is an empty path");
      return resolve(context.folder, given);
    },
  });
}

export function integer(bounds: { min: number; max: number }): Kind<number> {
  return scalar({
    label: "whole number",
    schema: { type: "integer", minimum: bounds.min, maximum: bounds.max },
    parse: (value) => requireInteger(value, bounds),
    fromText: numberFromText,
  });
}

export function requireInteger(value: unknown, { min, max }: { min: number; max: number }): number {
  if (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max) {
    return value as number;
  }
  throw new RangeError(`must be a whole number from ${min} to ${max}, not ${show(value)}`);
}

/** `${WORKERS:-4}` can only be a string in JSON; what it expands to is a number all the same. */
export function numberFromText(value: string): unknown {
  return /^-?\d+$/.test(value) ? Number(value) : value;
}

export function flag(): Kind<boolean> {
  return scalar({
    label: "`true` or `false`",
    schema: { type: "boolean" },
    parse(value) {
      if (typeof value === "boolean") return value;
      throw new RangeError(`must be true or false, not ${show(value)}`);
    },
    fromText: (value) => (value === "true" ? true : value === "false" ? false : value),
  });
}

export function choice<const Name extends string>(names: readonly Name[]): Kind<Name> {
  return scalar({
    label: names.map((name) => `\`"${name}"\``).join(", "),
    schema: { enum: names },
    parse(value) {
      const found = names.find((name) => name === value);
      if (found !== undefined) return found;
      throw new RangeError(`must be ${alternatives(names)}, not ${show(value)}`);
    },
  });
}

function alternatives(names: readonly string[]): string {
  const quoted = names.map((name) => `"${name}"`);
  return quoted.length === 1 ? quoted[0]! : `${quoted.slice(0, -1).join(", ")} or ${quoted.at(-1)}`;
}

const DURATION_SCHEMA = {
  anyOf: [
    { type: "string", pattern: "^\\d+(ms|s|m|h)$" },
    { type: "integer", minimum: 0 },
  ],
};

/** @param minMs the shortest that makes sense */
export function duration(minMs = 0): Kind<number> {
  return scalar({
    label: "duration",
    schema: DURATION_SCHEMA,
    parse(value) {
      const ms = parseDuration(value);
      if (ms < minMs) throw new RangeError(`${show(value)} is too short; the least is ${minMs} ms`);
      return ms;
    },
  });
}

/** The ways to write that something is off. */
export const OFF: readonly unknown[] = [false, null, "off"];

/** A duration, or `null` when it is off; 0 means off too, as in php-fpm. */
export function durationOrOff(): Kind<number | null> {
  return scalar({
    label: "duration, or `false`",
    schema: { anyOf: [...DURATION_SCHEMA.anyOf, { enum: OFF }] },
    parse: (value) => (OFF.includes(value) ? null : parseDuration(value) || null),
  });
}

export function size(bounds: { min: number; max: number }): Kind<number> {
  return scalar({
    label: "size",
    schema: {
      anyOf: [
        { type: "string", pattern: "^\\d+(B|KB|MB|GB)$" },
        { type: "integer", minimum: bounds.min, maximum: bounds.max },
      ],
    },
    parse(value) {
      const bytes = parseSize(value);
      if (bytes >= bounds.min && bytes <= bounds.max) return bytes;
      throw new RangeError(`${show(value)} is out of range; it must be ${bounds.min} to ${bounds.max} bytes`);
    },
  });
}

/** Another kind's value, or `null` when it is off; 0 means off too, as in php-fpm. */
export function orOff<T>(kind: Kind<T>): Kind<T | null> {
  const off = [...OFF, 0];
  return {
    label: `${kind.label}, or \`false\``,
    schema: { anyOf: [kind.schema, { enum: off }] },
    read: (value, place, context) => (off.includes(value) ? null : kind.read(value, place, context)),
  };
}

/** A share from 0 to 1. */
export function share(): Kind<number> {
  return scalar({
    label: "number from 0 to 1",
    schema: { type: "number", minimum: 0, maximum: 1 },
    parse(value) {
      if (typeof value === "number" && value >= 0 && value <= 1) return value;
      throw new RangeError(`must be a number from 0 to 1, not ${show(value)}`);
    },
    fromText: (text) => (/^\d*\.?\d+$/.test(text) ? Number(text) : text),
  });
}

export function fileMode(): Kind<number> {
  return scalar({
    label: "octal digits",
    schema: { type: "string", pattern: "^0?[0-7]{3}$" },
    parse: parseMode,
  });
}

/** The signals that a program can catch, and so can take as "please stop". */
const STOP_SIGNALS = [
  "SIGTERM",
  "SIGINT",
  "SIGQUIT",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
  "SIGWINCH",
  "SIGALRM",
] as const;

/** A signal's name, with or without `SIG`. */
export function stopSignal(): Kind<NodeJS.Signals> {
  return scalar({
    label: "signal",
    schema: { enum: STOP_SIGNALS.flatMap((name) => [name, name.slice(3)]) },
    parse(value) {
      const found = STOP_SIGNALS.find((name) => name === value || name.slice(3) === value);
      if (found !== undefined) return found;
      throw new RangeError(`must be ${alternatives(STOP_SIGNALS)}, not ${show(value)}`);
    },
  });
}

export function listOf<T>(item: Kind<T>): Kind<readonly T[]> {
  return {
    label: `list of ${item.label}s`,
    schema: { type: "array", items: item.schema },
    read(value, place, context) {
      if (!Array.isArray(value)) return place.fail(`must be a list, not ${show(value)}`);
      const items = value.map((one, index) => item.read(one, place.at(index), context));
      return items.every((one) => one !== undefined) ? (items as T[]) : undefined;
    },
  };
}
