/**
 * What a pool should do next, from what it has and what it should have: start these workers, stop those.
 *
 * The whole policy of replacing workers is here. A slot's holder is *outdated* when its generation is not the pool's
 * or something asked for its replacement (a recycle). An outdated worker serves on until its successor in the same
 * slot is ready, at most `batch` slots at a time; then it leaves, if the capacity budget spares it. Rollout, rollback,
 * recycling, scaling and crash recovery are all this one comparison.
 */

import type { Backoff } from "./backoff.ts";
import { maySpareOne } from "./capacity.ts";
import type { StartCause, StopCause } from "./events.ts";

export interface PlannedWorker {
  readonly id: number;
  readonly slot: number;
  readonly generation: number;
  readonly pid: number;
  /** `leaving`: it has been asked to stop and counts for nothing here. */
  readonly phase: "starting" | "ready" | "leaving";
  /** Why it should be replaced although its generation is current. */
  readonly replace: StopCause | null;
}

export interface PoolPlanInput {
  /** The cause with which everything should stop; `null` while the pool runs. */
  readonly stopping: StopCause | null;
  readonly wanted: number;
  readonly generation: number;
  /** Why workers of another generation leave. */
  readonly generationCause: StopCause;
  /** Whether replacements that nobody asked for wait: what they would start is known to be broken. */
  readonly hold: boolean;
  /** How many slots may be under replacement at a time, at least 1. */
  readonly batch: number;
  readonly workers: readonly PlannedWorker[];
  readonly backoff: Backoff;
  /** Why an empty slot is empty, where there is more to say than that the pool starts or grows. */
  readonly vacated: ReadonlyMap<number, StartCause>;
  /** Monotonic milliseconds. */
  readonly now: number;
}

export type PlanAction =
  | { readonly kind: "start"; readonly slot: number; readonly cause: StartCause }
  | { readonly kind: "stop"; readonly id: number; readonly cause: StopCause };

export interface Plan {
  readonly actions: readonly PlanAction[];
  /** When to plan again although nothing has happened; Infinity where only an event can change the plan. */
  readonly wakeAt: number;
}

export function planPool(pool: PoolPlanInput): Plan {
  const present = pool.workers.filter((worker) => worker.phase !== "leaving");
  if (pool.stopping !== null) {
    const cause = pool.stopping;
    return {
      actions: present.map(({ id }) => ({ kind: "stop", id, cause })),
      wakeAt: Number.POSITIVE_INFINITY,
    };
  }
  const stops = planStops(pool, present);
  const starts = planStarts(pool, present);
  return { actions: [...stops, ...starts.actions], wakeAt: starts.wakeAt };
}

/** @returns whether every wanted slot has a ready, current worker and nothing else is left to stop */
export function isSettled(pool: PoolPlanInput): boolean {
  const present = pool.workers.filter((worker) => worker.phase !== "leaving");
  return (
    present.length === pool.wanted &&
    present.every(
      (worker) => worker.phase === "ready" && worker.slot < pool.wanted && isCurrent(pool, worker),
    )
  );
}

function isCurrent(pool: PoolPlanInput, worker: PlannedWorker): boolean {
  return worker.generation === pool.generation && !isToBeReplaced(pool, worker);
}

function isToBeReplaced(pool: PoolPlanInput, { replace }: PlannedWorker): boolean {
  return replace !== null && (!pool.hold || replace.kind === "recycle");
}

function planStops(pool: PoolPlanInput, present: readonly PlannedWorker[]): PlanAction[] {
  const actions: PlanAction[] = [];
  let ready = present.filter((worker) => worker.phase === "ready").length;
  for (const worker of present) {
    const cause = reasonToLeave(pool, present, worker);
    if (cause === null) continue;
    if (worker.phase === "ready") {
      if (!maySpareOne({ ready, floor: pool.wanted })) continue;
      ready -= 1;
    }
    actions.push({ kind: "stop", id: worker.id, cause });
  }
  return actions;
}

function reasonToLeave(
  pool: PoolPlanInput,
  present: readonly PlannedWorker[],
  worker: PlannedWorker,
): StopCause | null {
  if (worker.slot >= pool.wanted) return { kind: "scale-down", wanted: pool.wanted };
  if (isCurrent(pool, worker)) return null;
  const cause = worker.replace ?? pool.generationCause;
  // Nobody is served by a worker that is still starting: its successor need not be awaited.
  if (worker.phase === "starting") return cause;
  const succeeded = present.some(
    (other) => other.slot === worker.slot && other.phase === "ready" && isCurrent(pool, other),
  );
  return succeeded ? cause : null;
}

function planStarts(pool: PoolPlanInput, present: readonly PlannedWorker[]): Plan {
  const starting = present.filter((worker) => worker.phase === "starting" && isCurrent(pool, worker)).length;
  const budget = startBudget(pool, starting);
  const vacant: PlanAction[] = [];
  const successors: PlanAction[] = [];
  let underReplacement = 0;
  for (let slot = 0; slot < pool.wanted; slot++) {
    const holders = present.filter((worker) => worker.slot === slot);
    const outdated = holders.find((worker) => worker.phase === "ready" && !isCurrent(pool, worker));
    if (holders.some((worker) => isCurrent(pool, worker))) {
      if (outdated !== undefined) underReplacement += 1;
    } else if (outdated === undefined) {
      vacant.push({ kind: "start", slot, cause: pool.vacated.get(slot) ?? { kind: "pool-start" } });
    } else {
      successors.push({ kind: "start", slot, cause: successorCause(outdated) });
    }
  }
  const wanted = [...vacant, ...successors.slice(0, Math.max(0, pool.batch - underReplacement))];
  const actions = wanted.slice(0, Math.max(0, budget));
  const waits = actions.length < wanted.length && pool.now < pool.backoff.retryAt;
  return { actions, wakeAt: waits ? pool.backoff.retryAt : Number.POSITIVE_INFINITY };
}

/** How many workers of a pool may be starting at a time: more only make each other slow, and the machine with them. */
const MOST_STARTING = 32;

/** After a crash before readiness, one trial at a time and not before its time; otherwise a batch. */
function startBudget(pool: PoolPlanInput, starting: number): number {
  if (pool.now < pool.backoff.retryAt) return 0;
  if (!pool.backoff.trial) return MOST_STARTING - starting;
  return starting === 0 ? 1 : 0;
}

function successorCause(outdated: PlannedWorker): StartCause {
  if (outdated.replace !== null)
    return { kind: "replace", pid: outdated.pid, because: outdated.replace.kind };
  return { kind: "reload", fromGeneration: outdated.generation };
}
