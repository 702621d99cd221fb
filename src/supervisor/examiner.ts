/** Looks at a worker from time to time, for the limits that only looking can tell. */

import type { WorkerFacts } from "../core/recycling.ts";
import { residentBytes } from "../system/procfs.ts";
import type { WorkerProcess } from "./process.ts";

export const LOOK_EVERY_MS = 1_000;

export class Examiner {
  /** By worker: how many requests it had served when it was last seen busy or further on, and when that was. */
  readonly #lastSeen = new WeakMap<WorkerProcess, { requests: number; at: number }>();

  /** @param now monotonic milliseconds; @param epoch the same moment since the epoch */
  look(worker: WorkerProcess, now: number, epoch: number): WorkerFacts {
    const { maxMemory, maxMemoryHard } = worker.limits;
    const board = worker.board();
    return {
      ageMs: epoch - worker.startedAt,
      requests: board?.requests ?? null,
      rssBytes: maxMemory === null && maxMemoryHard === null ? null : (residentBytes(worker.pid) ?? null),
      idleMs: board === null ? null : this.#idleMs(worker, board, now),
    };
  }

  #idleMs(
    worker: WorkerProcess,
    { requests, active }: { requests: number; active: number },
    now: number,
  ): number {
    const last = this.#lastSeen.get(worker);
    if (last !== undefined && active === 0 && last.requests === requests) return now - last.at;
    this.#lastSeen.set(worker, { requests, at: now });
    return 0;
  }
}
