/** When a worker has done enough: by requests, age, memory or idleness. */

import type { StopCause } from "./events.ts";

/** `null`: no limit. */
export interface RecyclePolicy {
  readonly maxRequests: number | null;
  readonly maxLifetimeMs: number | null;
  /** Bytes of resident memory; the worker finishes what it serves. */
  readonly maxMemory: number | null;
  /** The same, but it is killed at once. */
  readonly maxMemoryHard: number | null;
  readonly maxIdleMs: number | null;
  /** How far `maxRequests` and `maxLifetime` of one worker may lie from the configured ones, as a share of them. */
  readonly jitter: number;
}

/** One worker's own limits: those of the policy, spread so that workers started together are not recycled together. */
export type RecycleLimits = Omit<RecyclePolicy, "jitter">;

/** What is known of a worker; `null` where it is not. */
export interface WorkerFacts {
  readonly ageMs: number;
  readonly requests: number | null;
  readonly rssBytes: number | null;
  /** For how long it has served nothing; 0 while it serves. */
  readonly idleMs: number | null;
}

/** @param random uniform in [0, 1), once for each worker */
export function limitsFor(policy: RecyclePolicy, random: number): RecycleLimits {
  const { jitter, ...limits } = policy;
  const factor = 1 + jitter * (2 * random - 1);
  return {
    ...limits,
    maxRequests: limits.maxRequests === null ? null : Math.max(1, Math.round(limits.maxRequests * factor)),
    maxLifetimeMs: limits.maxLifetimeMs === null ? null : Math.round(limits.maxLifetimeMs * factor),
  };
}

/** @returns the evidence for replacing the worker, new before old; `null` where it may stay */
export function whyRecycle(limits: RecycleLimits, facts: WorkerFacts): StopCause | null {
  const { maxRequests, maxLifetimeMs, maxMemory, maxIdleMs } = limits;
  const { requests, ageMs, rssBytes, idleMs } = facts;
  if (requests !== null && maxRequests !== null && requests >= maxRequests) {
    return { kind: "max-requests", served: requests, limit: maxRequests };
  }
  if (maxLifetimeMs !== null && ageMs >= maxLifetimeMs)
    return { kind: "max-lifetime", ageMs, limitMs: maxLifetimeMs };
  if (rssBytes !== null && maxMemory !== null && rssBytes >= maxMemory) {
    return { kind: "max-memory", rssBytes, limit: maxMemory };
  }
  if (idleMs !== null && maxIdleMs !== null && idleMs >= maxIdleMs) {
    return { kind: "max-idle", idleMs, limitMs: maxIdleMs };
  }
  return null;
}

/** @returns the evidence for killing the worker at once; `null` where it may live */
export function whyKill(limits: RecycleLimits, facts: WorkerFacts): StopCause | null {
  const { maxMemoryHard } = limits;
  const { rssBytes } = facts;
  if (rssBytes === null || maxMemoryHard === null || rssBytes < maxMemoryHard) return null;
  return { kind: "max-memory-hard", rssBytes, limit: maxMemoryHard };
}

/** @returns whether any limit needs looking at from time to time; requests are counted by the worker itself */
export function needsLooking(limits: RecycleLimits): boolean {
  const { maxLifetimeMs, maxMemory, maxMemoryHard, maxIdleMs } = limits;
  return [maxLifetimeMs, maxMemory, maxMemoryHard, maxIdleMs].some((limit) => limit !== null);
}
