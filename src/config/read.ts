/** Reads an object by an option table: known keys, kinds, defaults, what is required, and what is not implemented yet. */

import { isDeepStrictEqual } from "node:util";
import type { Context, JsonSchema, Kind } from "./kind.ts";
import { OFF } from "./kinds.ts";
import { nearest } from "./nearest.ts";
import { objectSchema, patternPrefix } from "./object-schema.ts";
import {
  groupOf,
  isGroup,
  isPending,
  type Option,
  type OptionGroup,
  type OptionNode,
  type OptionTable,
  type PendingOption,
  pendingGroup,
  type Values,
} from "./option.ts";
import type { Place } from "./place.ts";
import { show } from "./units.ts";

/** What was right; whatever was not is missing, and has been reported. */
export type Draft<Table extends OptionTable> = Partial<Values<Table>>;

/** Takes keys that the table does not list one by one, such as `env_<name>`. @returns false for a key that it does not know either */
export type ReadOther = (key: string, value: unknown, place: Place) => boolean;

export function readOptions<Table extends OptionTable>(
  table: Table,
  value: unknown,
  place: Place,
  context: Context,
  readOther: ReadOther = () => false,
): Draft<Table> {
  const values: Record<string, unknown> = {};
  readGroup(groupOf(table), value, place, { table, context, readOther, values });
  return values as Draft<Table>;
}

/** A table as the kind of a nested object. */
export function objectOf<Table extends OptionTable>(table: Table): Kind<Draft<Table>> {
  const schema: JsonSchema = objectSchema(table);
  return {
    label: "object",
    schema,
    read: (value, place, context) => readOptions(table, value, place, context),
  };
}

interface Reading {
  readonly table: OptionTable;
  readonly context: Context;
  readonly readOther: ReadOther;
  readonly values: Record<string, unknown>;
}

function readGroup(group: OptionGroup, value: unknown, place: Place, reading: Reading): void {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    place.fail(`must be an object, not ${show(value)}`);
    return;
  }
  const given = value as Record<string, unknown>;
  for (const key of Object.keys(given)) {
    if (given[key] === undefined) continue;
    const node = patternPrefix(key) === undefined ? group.children.get(key) : undefined;
    if (node !== undefined) readNode(node, given[key], place.at(key), reading);
    else if (!reading.readOther(key, given[key], place.at(key))) {
      place.at(key).failKey(unknownKey(key, group, reading.table));
    }
  }
  for (const [key, node] of group.children) {
    if (!Object.hasOwn(given, key) || given[key] === undefined)
      readMissing(node, place.at(key), place, reading);
  }
}

function readNode(node: OptionNode, value: unknown, place: Place, reading: Reading): void {
  const feature = pendingGroup(node);
  if (isGroup(node)) {
    const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
    if (feature === undefined || isObject) readGroup(node, value, place, reading);
    else if (!OFF.includes(value)) place.failKey(notYet(node.path, feature));
  } else if (isPending(node.option)) {
    if (!changesNothing(value, node.option)) place.failKey(notYet(node.path, node.option.comesWith));
  } else {
    reading.values[node.path] = node.option.kind.read(value, place, reading.context);
  }
}

function readMissing(node: OptionNode, place: Place, parent: Place, reading: Reading): void {
  if (isGroup(node)) {
    for (const [key, child] of node.children) readMissing(child, place.at(key), parent, reading);
  } else if (!isPending(node.option)) {
    const { required, kind, default: fallback } = node.option as Option<unknown>;
    if (required) parent.fail(`"${node.path}" is missing`);
    else if (fallback !== undefined) reading.values[node.path] = kind.read(fallback, place, reading.context);
  }
}

function changesNothing(value: unknown, option: PendingOption): boolean {
  return (
    OFF.includes(value) ||
    option.off?.some((off) => isDeepStrictEqual(off, value)) === true ||
    (option.default !== undefined && isDeepStrictEqual(option.default, value))
  );
}

function notYet(path: string, feature: string): string {
  return `"${path}" is not implemented yet; it comes with ${feature}; remove it`;
}

function unknownKey(key: string, group: OptionGroup, table: OptionTable): string {
  const siblings = [...group.children.keys()];
  const meant = nearest(key, siblings, aliasesOf(table)) ?? namesake(key, table);
  const hint =
    meant !== undefined ? `did you mean "${meant}"?` : `the known ones are ${siblings.sort().join(", ")}`;
  return `unknown key ${show(key)}; ${hint}`;
}

function aliasesOf(table: OptionTable): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(table).flatMap(([path, { aka = [] }]) => aka.map((alias) => [alias, path] as const)),
  );
}

/** `maxRequests` written outside of `recycle` is meant to be `recycle.maxRequests`. */
function namesake(key: string, table: OptionTable): string | undefined {
  return Object.keys(table).find((path) => path.endsWith(`.${key}`));
}
