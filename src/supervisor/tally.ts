/** A pool's running counts that outlive its workers, and its supervisor. */

import type { ExitCause, StopCause } from "../core/events.ts";
import { addHistogram, emptyHistogram, type Histogram } from "../core/histogram.ts";
import type { ScoreboardSnapshot } from "../observe/scoreboard.ts";

/** What a pool has counted so far, by all its workers together. */
export interface Totals {
  readonly requests: number;
  readonly failed: number;
  readonly crashed: number;
  readonly recycled: number;
  readonly reloaded: number;
  readonly latency: Histogram;
}

export class Tally {
  /** What was counted under the supervisor before this one. Its last workers count on, so this may be set anew. */
  former: Totals = {
    requests: 0,
    failed: 0,
    crashed: 0,
    recycled: 0,
    reloaded: 0,
    latency: emptyHistogram(),
  };

  #requests = 0;
  #failed = 0;
  #crashed = 0;
  #recycled = 0;
  #reloaded = 0;
  #latency: Histogram = emptyHistogram();

  /** Takes over what a worker that is gone had counted. */
  addWorker(last: ScoreboardSnapshot | null): void {
    if (last === null) return;
    this.#requests += last.requests;
    // What it was serving when it died has failed.
    this.#failed += last.failed + last.active;
    this.#latency = addHistogram(this.#latency, last.latency);
  }

  /** Counts the end of a worker by its cause; a stop that shrinks or ends the pool is no restart. */
  addExit(exit: ExitCause): void {
    if (exit.kind !== "stopped" && exit.kind !== "killed") this.#crashed += 1;
    else if (exit.cause.kind === "start-timeout") this.#crashed += 1;
    else if (RELOADS.has(exit.cause.kind)) this.#reloaded += 1;
    else if (!ENDINGS.has(exit.cause.kind)) this.#recycled += 1;
  }

  /** @param living what the workers have counted that are not gone */
  totals(living: readonly ScoreboardSnapshot[]): Totals {
    const { former } = this;
    const sum = (of: (board: ScoreboardSnapshot) => number) =>
      living.reduce((total, board) => total + of(board), 0);
    return {
      requests: former.requests + this.#requests + sum((board) => board.requests),
      failed: former.failed + this.#failed + sum((board) => board.failed),
      crashed: former.crashed + this.#crashed,
      recycled: former.recycled + this.#recycled,
      reloaded: former.reloaded + this.#reloaded,
      latency: living.reduce(
        (total, board) => addHistogram(total, board.latency),
        addHistogram(former.latency, this.#latency),
      ),
    };
  }
}

const RELOADS: ReadonlySet<StopCause["kind"]> = new Set(["reload", "rollback", "upgrade"]);

/** Stops that no successor follows. */
const ENDINGS: ReadonlySet<StopCause["kind"]> = new Set([
  "scale-down",
  "drain",
  "pool-removed",
  "orphaned",
  "supervisor-stop",
]);
