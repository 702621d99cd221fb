/** A pool's running counts that outlive its workers. */

import type { ExitCause, StopCause } from "../core/events.ts";
import { addHistogram, emptyHistogram, type Histogram } from "../core/histogram.ts";
import type { ScoreboardSnapshot } from "../observe/scoreboard.ts";

export class Tally {
  requests = 0;
  failed = 0;
  crashed = 0;
  recycled = 0;
  reloaded = 0;
  latency: Histogram = emptyHistogram();

  /** Takes over what a worker that is gone had counted. */
  addWorker(last: ScoreboardSnapshot | null): void {
    if (last === null) return;
    this.requests += last.requests;
    // What it was serving when it died has failed.
    this.failed += last.failed + last.active;
    this.latency = addHistogram(this.latency, last.latency);
  }

  /** Counts the end of a worker by its cause; a stop that shrinks or ends the pool is no restart. */
  addExit(exit: ExitCause): void {
    if (exit.kind !== "stopped" && exit.kind !== "killed") this.crashed += 1;
    else if (exit.cause.kind === "start-timeout") this.crashed += 1;
    else if (exit.cause.kind === "reload" || exit.cause.kind === "rollback") this.reloaded += 1;
    else if (!ENDINGS.has(exit.cause.kind)) this.recycled += 1;
  }
}

/** Stops that no successor follows. */
const ENDINGS: ReadonlySet<StopCause["kind"]> = new Set([
  "scale-down",
  "drain",
  "pool-removed",
  "orphaned",
  "supervisor-stop",
]);
