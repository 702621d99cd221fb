/** A record of the option table, and the types that follow from it. */

import type { Kind } from "./kind.ts";

/** An option that works. A table's key is its path: `timeouts.start`. */
export interface Option<T> {
  readonly kind: Kind<T>;
  /** A sentence or two of Markdown. */
  readonly doc: string;
  readonly required?: true;
  /** As the config file would write it. */
  readonly default?: unknown;
  /** Says what the default is where it depends on something. */
  readonly defaultText?: string;
  /** What PM2 and php-fpm call it; the error about such a key names ours. */
  readonly aka?: readonly string[];
}

/** An option whose meaning is settled and whose work is not done: refused unless its value changes nothing. */
export interface PendingOption {
  /** What `kind.label` will be. */
  readonly type: string;
  readonly doc: string;
  /** The feature that brings it, as the error names it. */
  readonly comesWith: string;
  readonly default?: unknown;
  readonly defaultText?: string;
  /** Values beside `false`, `null` and `"off"` that mean "off". */
  readonly off?: readonly unknown[];
  readonly aka?: readonly string[];
}

export type AnyOption = Option<unknown> | PendingOption;
export type OptionTable = Readonly<Record<string, AnyOption>>;

/** What reading the options of a table gives, by path. */
export type Values<Table extends OptionTable> = {
  readonly [Path in keyof Table as Table[Path] extends PendingOption ? never : Path]: ValueOf<Table[Path]>;
};

type ValueOf<O> = O extends { readonly kind: Kind<infer T> }
  ? O extends { readonly required: true } | { readonly default: unknown }
    ? T
    : T | undefined
  : never;

export function isPending(option: AnyOption): option is PendingOption {
  return "comesWith" in option;
}

/** The options of a table as the nested objects that a file holds them in. */
export type OptionNode = OptionLeaf | OptionGroup;
export interface OptionLeaf {
  readonly path: string;
  readonly option: AnyOption;
}
export interface OptionGroup {
  readonly path: string;
  readonly children: ReadonlyMap<string, OptionNode>;
}

export function isGroup(node: OptionNode): node is OptionGroup {
  return "children" in node;
}

const groups = new WeakMap<OptionTable, OptionGroup>();

/** Nests the dotted paths of a table. */
export function groupOf(table: OptionTable): OptionGroup {
  const known = groups.get(table);
  if (known !== undefined) return known;
  const root = nest(Object.entries(table), "");
  groups.set(table, root);
  return root;
}

function nest(entries: readonly [string, AnyOption][], prefix: string): OptionGroup {
  const children = new Map<string, OptionNode>();
  for (const [path, option] of entries) {
    const key = path.slice(prefix.length).split(".", 1)[0]!;
    if (children.has(key)) continue;
    const here = prefix + key;
    const inside = entries.filter(([other]) => other.startsWith(`${here}.`));
    children.set(key, inside.length > 0 ? nest(inside, `${here}.`) : { path, option });
  }
  return { path: prefix.replace(/\.$/, ""), children };
}

/** The features that a group waits for, when nothing in it works yet; undefined otherwise. */
export function pendingGroup(node: OptionNode): string | undefined {
  if (!isGroup(node)) return isPending(node.option) ? node.option.comesWith : undefined;
  const features = [...node.children.values()].map(pendingGroup);
  return features.every((feature) => feature !== undefined) ? features[0] : undefined;
}
