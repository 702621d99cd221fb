/** Workers that outlived the supervisor that had started them: known by pid and start time, drained once they have successors. */

import type { LogLine } from "../control/messages.ts";
import type { Clock } from "../core/clock.ts";
import { isAlive } from "../system/procfs.ts";
import { signalGroup, signalProcess } from "../system/signals.ts";
import type { Holder } from "./listeners.ts";
import { OutputCapture } from "./output.ts";
import type { NewEvent } from "./pool-context.ts";
import type { SavedPool, SavedState, SavedWorker } from "./run-dir.ts";

/** There is no event for the end of a process that is not our child. */
const LOOK_EVERY_MS = 100;

const MAX_LINE_BYTES = 65_536;

export interface Orphan {
  readonly pool: string;
  readonly protocol: string;
  readonly saved: SavedWorker;
  /** When SIGKILL is due, in monotonic milliseconds; `null` until it has been asked to drain. */
  killAt: number | null;
  readonly capture: readonly (OutputCapture | undefined)[];
}

interface OrphanContext {
  readonly clock: Clock;
  emit(event: NewEvent): void;
  logLine(line: LogLine): void;
}

export class Orphans {
  readonly #context: OrphanContext;
  readonly #generations: ReadonlyMap<string, number>;
  #orphans: Orphan[];

  /** @param state what the last supervisor of this run dir wrote; `undefined` where it ended well */
  constructor(state: SavedState | undefined, context: OrphanContext) {
    this.#context = context;
    const formerSupervisor = state?.supervisor.pid ?? 0;
    this.#orphans = (state?.pools ?? []).flatMap((pool) =>
      pool.workers
        .filter(({ pid, startTime }) => isAlive(pid, startTime))
        .map((saved) => this.#adopt(pool, saved, formerSupervisor)),
    );
    this.#generations = new Map(state?.pools.map((pool) => [pool.name, pool.generation]));
  }

  get all(): readonly Orphan[] {
    return this.#orphans;
  }

  /** The generation that a pool had reached; 0 where no worker of it is left to be told apart from the new ones. */
  generationOf(pool: string): number {
    return this.#orphans.some((orphan) => orphan.pool === pool) ? (this.#generations.get(pool) ?? 0) : 0;
  }

  /** By address, who holds which socket. */
  holders(): Map<string, Holder[]> {
    const holders = new Map<string, Holder[]>();
    for (const { saved } of this.#orphans) {
      for (const { fd, address } of saved.listenFds) {
        const list = holders.get(address) ?? [];
        list.push({ pid: saved.pid, startTime: saved.startTime, fd });
        holders.set(address, list);
      }
    }
    return holders;
  }

  /** The files that they still use. */
  files(): Set<string> {
    return new Set(
      this.#orphans.flatMap(({ saved }) => [
        saved.stdout,
        saved.stderr,
        ...(saved.scoreboard === null ? [] : [saved.scoreboard]),
      ]),
    );
  }

  /** Asks orphans to finish, all or those that `which` picks; those that have been asked are left alone. */
  drain(graceMs: number, which: (orphan: Orphan) => boolean = () => true): void {
    const now = this.#context.clock.monotonic();
    for (const orphan of this.#orphans) {
      if (orphan.killAt !== null || !which(orphan)) continue;
      orphan.killAt = now + graceMs;
      signalProcess(orphan.saved.pid, "SIGTERM");
    }
  }

  killAll(): void {
    for (const { saved } of this.#orphans) {
      if (isAlive(saved.pid, saved.startTime)) signalGroup(saved.pid, "SIGKILL");
    }
  }

  /** Notes who is gone and kills who is late. */
  turn(now: number): void {
    for (const orphan of this.#orphans) {
      const { pid, startTime, slot } = orphan.saved;
      if (!isAlive(pid, startTime)) {
        for (const capture of orphan.capture) capture?.finish();
        this.#context.emit({ type: "orphan-gone", pool: orphan.pool, pid, slot });
      } else if (orphan.killAt !== null && now >= orphan.killAt) signalGroup(pid, "SIGKILL");
    }
    this.#orphans = this.#orphans.filter(({ saved }) => isAlive(saved.pid, saved.startTime));
  }

  /** When {@link turn} is next due; Infinity where there is none left. */
  deadline(now: number): number {
    return this.#orphans.length === 0 ? Number.POSITIVE_INFINITY : now + LOOK_EVERY_MS;
  }

  #adopt(
    { name: pool, protocol }: Pick<SavedPool, "name" | "protocol">,
    saved: SavedWorker,
    formerSupervisor: number,
  ): Orphan {
    const { slot, pid } = saved;
    this.#context.emit({ type: "orphan-found", pool, pid, slot, formerSupervisor });
    const capture = (["stdout", "stderr"] as const).map((stream) =>
      OutputCapture.reopen(saved[stream], MAX_LINE_BYTES, ({ text, truncated }) => {
        const at = new Date(this.#context.clock.now()).toISOString();
        this.#context.logLine({
          at,
          pool,
          slot,
          pid,
          stream,
          line: text,
          ...(truncated ? { truncated } : {}),
        });
      }),
    );
    return { pool, protocol, saved, killAt: null, capture };
  }
}
