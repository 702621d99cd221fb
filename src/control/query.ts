/** Reads the query of a control request: every parameter known, every value checked. */

import type { Schema } from "./json-schema.ts";
import { OperationError } from "./target.ts";

/** What a query parameter holds. */
export type ParameterKind = "flag" | "count" | "time" | "pool" | "pools";

export interface Parameter {
  readonly kind: ParameterKind;
  readonly description: string;
}

/** The parameters as the routes use them; one that was not given, or is empty, is undefined. */
export interface Query {
  readonly follow?: boolean;
  readonly last?: number;
  readonly since?: number;
  readonly pool?: readonly string[];
}

const MEANINGS: { readonly [K in ParameterKind]: { schema: Schema; says: string } } = {
  flag: { schema: { type: "string", enum: ["0", "1"] }, says: "1 or 0" },
  count: { schema: { type: "integer", minimum: 0 }, says: "a number, 0 or more" },
  time: {
    schema: {
      anyOf: [
        { type: "number", minimum: 0 },
        { type: "string", format: "date-time" },
      ],
    },
    says: "milliseconds since the epoch, or a time such as 2026-01-31T08:00:00Z",
  },
  pool: { schema: { type: "string" }, says: "a pool's name" },
  pools: { schema: { type: "array", items: { type: "string" } }, says: "a pool's name; may be repeated" },
};

/** The schema of a parameter, for the API's description. */
export function parameterSchema(kind: ParameterKind): Schema {
  return MEANINGS[kind].schema;
}

/**
 * @param text what follows the "?"
 * @throws OperationError, status 400, that lists everything wrong
 */
export function readQuery(text: string, known: Readonly<Record<string, Parameter>>): Query {
  const errors: string[] = [];
  const query: Record<string, unknown> = {};
  for (const [name, value] of new URLSearchParams(text)) {
    const parameter = Object.hasOwn(known, name) ? known[name] : undefined;
    if (parameter === undefined) {
      const names = Object.keys(known).join(", ");
      errors.push(
        `there is no parameter "${name}" here; ${names === "" ? "it takes none" : `known: ${names}`}`,
      );
      continue;
    }
    if (value === "") continue;
    const read = readValue(value, parameter.kind);
    if (read === undefined) errors.push(`${name}=${value} has to be ${MEANINGS[parameter.kind].says}`);
    else
      query[name] = Array.isArray(read) ? [...((query[name] as string[] | undefined) ?? []), ...read] : read;
  }
  if (errors.length > 0) {
    throw new OperationError("GWPM_BAD_QUERY", errors.join("; "), { status: 400, exitCode: 2, errors });
  }
  return query as Query;
}

function readValue(text: string, kind: ParameterKind): boolean | number | string[] | undefined {
  switch (kind) {
    case "flag":
      return text === "1" || text === "true" ? true : text === "0" || text === "false" ? false : undefined;
    case "count":
      return /^\d{1,9}$/.test(text) ? Number(text) : undefined;
    case "time": {
      const ms = /^\d+(\.\d+)?$/.test(text) ? Number(text) : Date.parse(text);
      return Number.isFinite(ms) ? ms : undefined;
    }
    case "pool":
    case "pools":
      return [text];
  }
}
