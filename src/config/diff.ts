/** What a new configuration changes: the question behind `gwpm reload --changed`. */

import { createHash } from "node:crypto";
import type { EffectiveConfig, EffectivePool } from "./types.ts";

/**
 * The same for two pools that are configured alike, however their files write it; it is stable across versions of Node and
 * across runs. The code that a pool runs is not part of it.
 */
export function fingerprint(pool: EffectivePool): string {
  return createHash("sha256").update(JSON.stringify(pool, sortKeys)).digest("base64url");
}

/** The names of pools, each in exactly one list, in the order of the new configuration (`removed`: of the old). */
export interface PoolChanges {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
  readonly unchanged: readonly string[];
}

export function comparePools(
  before: Pick<EffectiveConfig, "pools">,
  after: Pick<EffectiveConfig, "pools">,
): PoolChanges {
  const old = new Map(before.pools.map((pool) => [pool.name, fingerprint(pool)]));
  const names = after.pools.map(({ name }) => name);
  const stayed = after.pools.filter(({ name }) => old.has(name));
  const isSame = (pool: EffectivePool) => old.get(pool.name) === fingerprint(pool);
  return {
    added: names.filter((name) => !old.has(name)),
    removed: [...old.keys()].filter((name) => !names.includes(name)),
    changed: stayed.filter((pool) => !isSame(pool)).map(({ name }) => name),
    unchanged: stayed.filter(isSame).map(({ name }) => name),
  };
}

/** The order in which keys were written is no difference. */
function sortKeys(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
