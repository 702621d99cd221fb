/** A reload of one pool: from which generation to which, and how it came out. */

import { isSettled, type PoolPlanInput } from "./plan.ts";

export interface Rollout {
  readonly from: number;
  readonly to: number;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
}

/** What became of a worker of the new generation, where it matters to the rollout. */
export interface FailedStart {
  readonly generation: number;
  readonly reason: string;
}

export type RolloutVerdict =
  | { readonly kind: "running" }
  | { readonly kind: "ok" }
  | { readonly kind: "rolled-back"; readonly reason: string };

/**
 * A rollout is done once every wanted slot has a ready worker of the new generation and the old ones take no new work
 * (they may still drain). One worker of the new generation that fails to start ends it: the old one serves on.
 */
export function judgeRollout(
  rollout: Rollout,
  pool: PoolPlanInput,
  failed: FailedStart | null,
): RolloutVerdict {
  if (failed !== null && failed.generation === rollout.to)
    return { kind: "rolled-back", reason: failed.reason };
  return isSettled(pool) ? { kind: "ok" } : { kind: "running" };
}

/** How many slots to replace at a time, at least 1. */
export function batchSize(
  batch:
    | { readonly kind: "count"; readonly count: number }
    | { readonly kind: "percent"; readonly percent: number },
  wanted: number,
): number {
  const size = batch.kind === "count" ? batch.count : Math.floor((wanted * batch.percent) / 100);
  return Math.max(1, size);
}
