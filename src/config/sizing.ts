/** The kinds that say how many: `workers`, and `reload.batch`. */

import { MAX_WORKERS } from "../core/sizing.ts";
import { type Kind, scalar } from "./kind.ts";
import { integer, numberFromText, requireInteger } from "./kinds.ts";
import { objectSchema } from "./object-schema.ts";
import { readOptions } from "./read.ts";
import type { WORKERS_OPTIONS } from "./table.ts";
import type { Batch, EffectivePool } from "./types.ts";
import { show } from "./units.ts";

const SIZING_FEATURE = "pools that size themselves";
const count = integer({ min: 1, max: MAX_WORKERS });

export function workers(options: typeof WORKERS_OPTIONS): Kind<EffectivePool["sizing"]> {
  return {
    label: "whole number, or object",
    schema: { anyOf: [count.schema, objectSchema(options)] },
    read(value, place, context) {
      if (typeof value !== "object" || value === null) {
        const fixed = count.read(value, place, context);
        return fixed === undefined ? undefined : { mode: "static", count: fixed };
      }
      const { mode } = value as { mode?: unknown };
      if (mode === "dynamic" || mode === "ondemand") {
        return place
          .at("mode")
          .fail(
            `"${mode}" is not implemented yet; it comes with ${SIZING_FEATURE}; write "static" and "count", or a number`,
          );
      }
      const values = readOptions(options, value, place, context);
      if (values.mode === undefined || values.count === undefined) return undefined;
      return { mode: values.mode, count: values.count };
    },
  };
}

/** A number of workers, or a share of them such as `"25%"`. */
export function batch(): Kind<Batch> {
  return scalar<Batch>({
    label: "whole number, or percentage",
    schema: {
      anyOf: [
        { type: "integer", minimum: 1, maximum: MAX_WORKERS },
        { type: "string", pattern: "^([1-9]\\d?|100)%$" },
      ],
    },
    parse(value) {
      if (typeof value === "number") {
        return { kind: "count", count: requireInteger(value, { min: 1, max: MAX_WORKERS }) };
      }
      const percent = typeof value === "string" ? /^([1-9]\d?|100)%$/.exec(value)?.[1] : undefined;
      if (percent !== undefined) return { kind: "percent", percent: Number(percent) };
      throw new RangeError(`must be a number of workers or a percentage such as "25%", not ${show(value)}`);
    },
    fromText: numberFromText,
  });
}
