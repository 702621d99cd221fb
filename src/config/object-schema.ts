/** The JSON schema of an object that an option table describes. */

import type { JsonSchema } from "./kind.ts";
import { OFF } from "./kinds.ts";
import {
  type AnyOption,
  groupOf,
  isGroup,
  isPending,
  type OptionGroup,
  type OptionNode,
  type OptionTable,
  pendingGroup,
} from "./option.ts";

export function objectSchema(table: OptionTable): JsonSchema {
  return groupSchema(groupOf(table));
}

function groupSchema(group: OptionGroup): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const patternProperties: Record<string, JsonSchema> = {};
  const required: string[] = [];
  for (const [key, node] of group.children) {
    const prefix = patternPrefix(key);
    if (prefix === undefined) properties[key] = nodeSchema(node);
    else patternProperties[`^${prefix}.+$`] = nodeSchema(node);
    if (!isGroup(node) && "required" in node.option) required.push(key);
  }
  return {
    type: "object",
    properties,
    ...(Object.keys(patternProperties).length > 0 ? { patternProperties } : {}),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

/** `env_<name>` stands for every key that starts with `env_`. */
export function patternPrefix(key: string): string | undefined {
  return /^(.+)<\w+>$/.exec(key)?.[1];
}

function nodeSchema(node: OptionNode): JsonSchema {
  if (!isGroup(node)) return optionSchema(node.option);
  const schema = groupSchema(node);
  return pendingGroup(node) === undefined ? schema : { anyOf: [schema, { enum: OFF }] };
}

function optionSchema(option: AnyOption): JsonSchema {
  const described = {
    description: describeOption(option),
    ...(option.default === undefined ? {} : { default: option.default }),
  };
  if (!isPending(option)) return { ...described, ...option.kind.schema };
  const unchanged = option.default === undefined ? [] : [option.default];
  return { ...described, enum: [...new Set([...OFF, ...(option.off ?? []), ...unchanged])] };
}

/** The sentence on an option, with what the reader must know beside it. */
export function describeOption(option: AnyOption): string {
  const pending = isPending(option) ? ` Not implemented yet; it comes with ${option.comesWith}.` : "";
  const fallback = option.defaultText === undefined ? "" : ` Default: ${option.defaultText}.`;
  return option.doc + fallback + pending;
}
