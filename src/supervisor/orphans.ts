/**
 * Workers that another supervisor started: known by pid and start time, drained once they have successors. Where that
 * supervisor lives on to see them out (it has handed over to us), it is their keeper, and we only look on.
 */

import type { LogLine } from "../control/messages.ts";
import type { Clock } from "../core/clock.ts";
import { isAlive } from "../system/procfs.ts";
import { signalGroup, signalProcess } from "../system/signals.ts";
import type { Holder } from "./listeners.ts";
import { OutputCapture } from "./output.ts";
import type { NewEvent } from "./pool-context.ts";
import type { ProcessId, SavedOrphan, SavedState, SavedWorker } from "./run-dir.ts";

/** There is no event for the end of a process that is not our child. */
const LOOK_EVERY_MS = 100;

/** How long a keeper may outlive the last of its workers' deadlines. */
const KEEPER_GRACE_MS = 5_000;

const MAX_LINE_BYTES = 65_536;

export interface Orphan {
  readonly pool: string;
  readonly protocol: string;
  readonly saved: SavedWorker;
  /** Who drains it and reads its output; `null` where that is up to us. */
  keeper: ProcessId | null;
  /** When SIGKILL is due, in milliseconds of either clock; `null` until we have asked it to drain. */
  killAt: { readonly monotonic: number; readonly epoch: number } | null;
  capture: readonly (OutputCapture | undefined)[];
}

interface OrphanContext {
  readonly clock: Clock;
  emit(event: NewEvent): void;
  logLine(line: LogLine): void;
}

export class Orphans {
  readonly #context: OrphanContext;
  readonly #generations = new Map<string, number>();
  #orphans: Orphan[] = [];
  #keepers: ProcessId[] = [];
  /** When keepers that are still there are killed; Infinity until everything is asked to stop. */
  #keepersKillAt = Number.POSITIVE_INFINITY;

  constructor(context: OrphanContext) {
    this.#context = context;
  }

  /**
   * Takes in whom a supervisor has left.
   *
   * @param state what it wrote; `undefined` where it ended well
   * @param keeper that supervisor, where it lives on to see its workers out
   */
  adopt(state: SavedState | undefined, keeper: ProcessId | null = null): void {
    if (state === undefined) return;
    for (const { name, generation, protocol, workers } of state.pools) {
      this.#generations.set(name, Math.max(generation, this.#generations.get(name) ?? 0));
      for (const worker of workers) {
        this.#adopt({ pool: name, protocol, worker, keeper, killAt: null }, state.supervisor.pid);
      }
    }
    for (const orphan of state.orphans ?? []) this.#adopt(orphan, state.supervisor.pid);
    if (keeper !== null) this.#keepers.push(keeper);
  }

  get all(): readonly Orphan[] {
    return this.#orphans;
  }

  /** Whether nothing of an earlier supervisor is left, itself included. */
  get gone(): boolean {
    return this.#orphans.length === 0 && this.#keepers.length === 0;
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

  /** What the next supervisor would need to know of them. */
  save(): SavedOrphan[] {
    return this.#orphans.map(({ pool, protocol, saved, keeper, killAt }) => ({
      pool,
      protocol,
      worker: saved,
      keeper,
      killAt: killAt?.epoch ?? null,
    }));
  }

  /** Asks those that `which` picks to finish; who has been asked, by us or by its keeper, is left alone. */
  drain(graceMs: number, which: (orphan: Orphan) => boolean): void {
    for (const orphan of this.#orphans) {
      if (orphan.keeper === null && which(orphan)) this.#ask(orphan, graceMs);
    }
  }

  /** Asks all to finish. Also those that their keeper has asked: idle connections, kept for us, are of no use now. */
  drainAll(graceMs: number): void {
    for (const orphan of this.#orphans) this.#ask(orphan, graceMs);
    const killAt = this.#context.clock.monotonic() + graceMs + KEEPER_GRACE_MS;
    this.#keepersKillAt = Math.min(this.#keepersKillAt, killAt);
  }

  killAll(): void {
    for (const { saved } of this.#orphans) {
      if (isAlive(saved.pid, saved.startTime)) signalGroup(saved.pid, "SIGKILL");
    }
    // They end by themselves once their workers have.
    this.#keepersKillAt = Math.min(this.#keepersKillAt, this.#context.clock.monotonic() + KEEPER_GRACE_MS);
  }

  /** Notes who is gone and kills who is late. */
  turn(now: number): void {
    this.#keepers = this.#keepers.filter((keeper) => isAlive(keeper.pid, keeper.startTime));
    if (now >= this.#keepersKillAt) for (const { pid } of this.#keepers) signalProcess(pid, "SIGKILL");
    this.#orphans = this.#orphans.filter((orphan) => this.#look(orphan, now));
  }

  /** When {@link turn} is next due; Infinity where there is none left. */
  deadline(now: number): number {
    return this.gone ? Number.POSITIVE_INFINITY : now + LOOK_EVERY_MS;
  }

  /** Leaves them all to a successor. */
  release(): void {
    for (const { capture } of this.#orphans) for (const stream of capture) stream?.release();
    this.#orphans = [];
    this.#keepers = [];
  }

  /** @returns whether it is still there: looked at once, so that none goes unnoticed between two looks */
  #look(orphan: Orphan, now: number): boolean {
    const { saved, pool, keeper } = orphan;
    const { pid, startTime, slot } = saved;
    if (!isAlive(pid, startTime)) {
      for (const stream of orphan.capture) stream?.finish();
      // Of a worker that is kept, the keeper has told.
      if (keeper === null) this.#context.emit({ type: "orphan-gone", pool, pid, slot });
      return false;
    }
    if (keeper !== null && !isAlive(keeper.pid, keeper.startTime)) this.#take(orphan, keeper.pid);
    if (orphan.killAt !== null && now >= orphan.killAt.monotonic) signalGroup(pid, "SIGKILL");
    return true;
  }

  #ask(orphan: Orphan, graceMs: number): void {
    if (orphan.killAt !== null) return;
    orphan.killAt = this.#deadline(this.#context.clock.now() + graceMs);
    signalProcess(orphan.saved.pid, "SIGTERM");
  }

  #adopt({ pool, protocol, worker, keeper, killAt }: SavedOrphan, formerSupervisor: number): void {
    const { pid, startTime } = worker;
    const known = this.#orphans.some(({ saved }) => saved.pid === pid && saved.startTime === startTime);
    if (known || !isAlive(pid, startTime)) return;
    // A second SIGTERM would end it at once: whether it has had one must not be forgotten.
    const deadline = killAt === null ? null : this.#deadline(killAt);
    const orphan: Orphan = { pool, protocol, saved: worker, keeper, killAt: deadline, capture: [] };
    this.#orphans.push(orphan);
    if (keeper === null) this.#take(orphan, formerSupervisor);
  }

  /** From now on it is up to us. */
  #take(orphan: Orphan, formerSupervisor: number): void {
    const { pool, saved } = orphan;
    const { slot, pid } = saved;
    orphan.keeper = null;
    this.#context.emit({ type: "orphan-found", pool, pid, slot, formerSupervisor });
    orphan.capture = (["stdout", "stderr"] as const).map((stream) =>
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
  }

  #deadline(epoch: number): Orphan["killAt"] {
    const { clock } = this.#context;
    return { monotonic: clock.monotonic() + epoch - clock.now(), epoch };
  }
}
