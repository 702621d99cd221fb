/** The kind of `listen`: an address, an object that says more about one, or a list of these. */

import type { Address } from "../core/address.ts";
import type { Context, Kind } from "./kind.ts";
import { objectSchema } from "./object-schema.ts";
import { Place } from "./place.ts";
import { type Draft, readOptions } from "./read.ts";
import type { LISTEN_OPTIONS } from "./table.ts";

/** A listener whose address is right, and where the file writes it, for what is found out about it later. */
export interface ListenDraft {
  readonly address: Address;
  readonly values: Draft<typeof LISTEN_OPTIONS>;
  readonly place: Place;
}

export function listenOn(options: typeof LISTEN_OPTIONS): Kind<readonly ListenDraft[]> {
  const one = { anyOf: [options.address.kind.schema, objectSchema(options)] };
  return {
    label: "address, object, or list of these",
    schema: { anyOf: [...one.anyOf, { type: "array", items: one, minItems: 1 }] },
    read(value, place, context) {
      if (!Array.isArray(value)) return readOne(options, value, place, context);
      if (value.length === 0) return place.fail("is an empty list; a pool needs an address to listen on");
      return value.flatMap((item, index) => readOne(options, item, place.at(index), context));
    },
  };
}

function readOne(
  options: typeof LISTEN_OPTIONS,
  value: unknown,
  place: Place,
  context: Context,
): readonly ListenDraft[] {
  const isObject = typeof value === "object" && value !== null;
  const values = isObject
    ? readOptions(options, value, place, context)
    : readAddressAlone(options, value, place, context);
  const { address } = values;
  if (address === undefined) return [];
  if (isObject && address.kind === "tcp") refuseFileOptions(value, place);
  return [{ address, values, place }];
}

/** The short form: its errors belong to `listen` itself, and everything else takes its default. */
function readAddressAlone(
  options: typeof LISTEN_OPTIONS,
  value: unknown,
  place: Place,
  context: Context,
): Draft<typeof LISTEN_OPTIONS> {
  if (options.address.kind.read(value, place, context) === undefined) return {};
  return readOptions(options, { address: value }, new Place(() => {}), context);
}

function refuseFileOptions(value: object, place: Place): void {
  for (const key of ["mode", "owner", "group"].filter((name) => Object.hasOwn(value, name))) {
    place.at(key).failKey(`"${key}" is for Unix sockets; a TCP address has none; remove it`);
  }
}
