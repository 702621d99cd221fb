/** What a kind of value is: how it is read, how the JSON schema describes it, and what the reference page calls it. */

import { expand, hasExpression } from "./expand.ts";
import type { Host } from "./host.ts";
import type { Place } from "./place.ts";
import { show } from "./units.ts";

/** What reading a value may depend on beside the value. */
export interface Context {
  /** Relative paths start here: the config file's folder. */
  readonly folder: string;
  /** What `${VAR}` stands for; `null` leaves such strings as they are. */
  readonly variables: Readonly<Record<string, string | undefined>> | null;
  /** The `--env NAME` of the command line: which `env_<name>` blocks count. */
  readonly environmentName: string | undefined;
  readonly host: Host;
}

export type JsonSchema = Readonly<Record<string, unknown>>;

export interface Kind<T> {
  /** For the reference page: `duration`, `list of strings`. */
  readonly label: string;
  readonly schema: JsonSchema;
  /** @returns undefined when the value is wrong, which has then been reported at `place` */
  read(value: unknown, place: Place, context: Context): T | undefined;
}

/** In a schema: the string form that any value may take, because `${VAR}` may hold it. */
const EXPRESSION_SCHEMA = { $ref: "#/$defs/expression" } as const;

export interface ScalarOptions<T> {
  readonly label: string;
  /** The schema of the literal value; the form with `${VAR}` is added to it. */
  readonly schema: JsonSchema;
  /** @throws RangeError that says what is wrong with the value and what would be right */
  parse(value: unknown, context: Context): T;
  /** What the text of an expanded string stands for, where that is not a string. */
  fromText?(text: string): unknown;
}

/** A kind whose value is a single string, number or boolean. */
export function scalar<T>(options: ScalarOptions<T>): Kind<T> {
  return {
    label: options.label,
    schema: { anyOf: [options.schema, EXPRESSION_SCHEMA] },
    read(value, place, context) {
      try {
        return options.parse(expanded(value, context, options.fromText), context);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
        return place.fail(error.message);
      }
    },
  };
}

function expanded(value: unknown, context: Context, fromText?: (text: string) => unknown): unknown {
  if (typeof value !== "string" || context.variables === null || !hasExpression(value)) return value;
  const text = expand(value, context.variables);
  return fromText === undefined ? text : fromText(text);
}

/** Any string without a NUL byte, which no file name, argument or variable can hold. */
export function requireText(value: unknown): string {
  if (typeof value !== "string") throw new RangeError(`must be a string, not ${show(value)}`);
  if (value.includes("\0")) throw new RangeError("cannot hold a NUL byte");
  return value;
}
