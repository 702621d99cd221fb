/** The kind of `env` and of its `env_<name>` blocks: variables for the workers. */

import { type Context, type Kind, requireText, scalar } from "./kind.ts";
import type { Place } from "./place.ts";
import { show } from "./units.ts";

export type Environment = Readonly<Record<string, string>>;

/** Numbers and booleans become strings, as in PM2. */
const variable: Kind<string> = scalar({
  label: "string",
  schema: { type: ["string", "number", "boolean"] },
  parse(value) {
    if (typeof value === "number" || typeof value === "boolean") return String(value);
    if (typeof value === "string") return requireText(value);
    throw new RangeError(`must be a string, a number, true or false, not ${show(value)}`);
  },
});

export const environment: Kind<Environment> = {
  label: "object of strings",
  schema: { type: "object", additionalProperties: variable.schema },
  read(value, place, context) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      return place.fail(`must be an object such as {"NAME": "value"}, not ${show(value)}`);
    }
    return Object.fromEntries(Object.entries(value).flatMap((entry) => readVariable(entry, place, context)));
  },
};

function readVariable(
  [name, value]: [string, unknown],
  place: Place,
  context: Context,
): readonly [string, string][] {
  const here = place.at(name);
  if (value === undefined) return [];
  if (!/^[^=\0]+$/.test(name)) {
    here.failKey(`${show(name)} cannot be the name of an environment variable`);
    return [];
  }
  const read = variable.read(value, here, context);
  return read === undefined ? [] : [[name, read]];
}
