/** A pool's workers: starts and stops them as told, steps each through its life, and keeps the books of how they ended. */

import type { EffectivePool } from "../config/types.ts";
import { afterCrash, afterReady, type Backoff, calm } from "../core/backoff.ts";
import { describeExit } from "../core/describe.ts";
import type { ExitCause, LostRequest, StartCause, StopCause } from "../core/events.ts";
import type { PlannedWorker } from "../core/plan.ts";
import { limitsFor, needsLooking, whyKill, whyRecycle } from "../core/recycling.ts";
import type { FailedStart } from "../core/rollout.ts";
import { failedToStart, nextTick, step, type WorkerInput } from "../core/worker.ts";
import type { Launch } from "../runtimes/launch.ts";
import { Examiner, LOOK_EVERY_MS } from "./examiner.ts";
import { type Candidate, Handover } from "./handover.ts";
import type { Listener } from "./listeners.ts";
import type { PoolContext } from "./pool-context.ts";
import { WorkerProcess } from "./process.ts";
import type { SavedWorker } from "./run-dir.ts";
import { Tally } from "./tally.ts";

/** One version of a pool's code and configuration. */
export interface Version {
  readonly generation: number;
  readonly spec: EffectivePool;
  readonly listeners: readonly Listener[];
  readonly launch: (spec: EffectivePool) => Launch;
}

export interface StartFailure extends FailedStart {
  /** The worker's last lines. */
  readonly output: readonly string[];
}

export interface LastExit {
  readonly code: number | null;
  readonly signal: string | null;
  readonly cause: ExitCause["kind"];
  /** Epoch milliseconds. */
  readonly at: number;
}

export class Crew {
  readonly tally = new Tally();
  /** By slot. */
  readonly lastExits = new Map<number, LastExit>();
  /** Why a slot that should have a worker has none. */
  readonly vacated = new Map<number, StartCause>();
  /** The last start that failed; `null` once a worker has got ready since. */
  lastFailure: StartFailure | null = null;
  /** How many starts have failed, ever. */
  failedStarts = 0;
  backoff: Backoff = calm;
  /** Whether those who leave have successors, so that idle kept connections are worth keeping. */
  succeeded = true;
  readonly handover = new Handover(() => this.#adopters());

  readonly #pool: string;
  readonly #context: PoolContext;
  readonly #isCurrent: (worker: WorkerProcess) => boolean;
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #examiner = new Examiner();
  #nextLookAt = 0;
  #nextId = 1;

  /** @param isCurrent whether a worker is to stay, as far as the pool knows */
  constructor(pool: string, context: PoolContext, isCurrent: (worker: WorkerProcess) => boolean) {
    this.#pool = pool;
    this.#context = context;
    this.#isCurrent = isCurrent;
  }

  get workers(): IterableIterator<WorkerProcess> {
    return this.#workers.values();
  }

  get size(): number {
    return this.#workers.size;
  }

  /** As the planner sees them. */
  planned(): PlannedWorker[] {
    return [...this.#workers.values()].map(({ id, slot, generation, pid, replace, state }) => {
      const phase = state.kind === "starting" || state.kind === "ready" ? state.kind : "leaving";
      return { id, slot, generation, pid, replace, phase };
    });
  }

  save(): SavedWorker[] {
    return [...this.#workers.values()].map((worker) => worker.save()).filter((saved) => saved !== undefined);
  }

  start(version: Version, slot: number, cause: StartCause): void {
    const { spec, generation, listeners, launch } = version;
    const { clock, runDir } = this.#context;
    const id = this.#nextId++;
    const now = { monotonic: clock.monotonic(), epoch: clock.now() };
    const limits = limitsFor(spec.recycle, this.#context.random());
    const request = {
      id,
      slot,
      generation,
      pool: spec,
      launch: launch(spec),
      listeners,
      runDir,
      limits,
      now,
    };
    const feed = (input: WorkerInput) => this.#context.enqueue(() => this.#feed(worker, input));
    const worker: WorkerProcess = new WorkerProcess(request, {
      onReady: () => feed({ kind: "ready" }),
      onExit: (code, signal) => feed({ kind: "exited", code, signal }),
      onSpawnFailed: (error) => feed({ kind: "spawn-failed", error }),
      onRecycleAsked: (reason) =>
        this.#context.enqueue(() => this.replace(worker, { kind: "asked", reason })),
      onMaxRequests: () => {
        const limit = limits.maxRequests ?? 0;
        this.#context.enqueue(() => this.replace(worker, { kind: "max-requests", served: limit, limit }));
      },
      // At once, not in the next turn: nobody reads the connection meanwhile.
      onConnection: (id, connection) => this.handover.given(worker, id, connection),
      onAnswer: (id, adopted) => this.handover.answered(worker, id, adopted),
      onDisconnect: () => this.handover.gone(worker),
      onLine: (stream, { text, truncated }) => {
        const at = new Date(clock.now()).toISOString();
        const who = { pool: this.#pool, slot, pid: worker.pid };
        this.#context.logLine({ at, ...who, stream, line: text, ...(truncated ? { truncated } : {}) });
      },
    });
    this.#workers.set(id, worker);
    this.vacated.delete(slot);
    this.#context.emit({ type: "worker-starting", ...this.#who(worker), cause });
  }

  /** @param graceMs how long it may take to finish; with a fast stop it is killed at once */
  stop(id: number, cause: StopCause, graceMs: number): void {
    const worker = this.#workers.get(id);
    if (worker === undefined) return;
    const fast = cause.kind === "supervisor-stop" && cause.fast;
    this.#feed(worker, fast ? { kind: "kill", cause } : { kind: "stop", cause, graceMs });
  }

  /** Wants a worker replaced, new before old. The first reason stands, but for the operator's, which does not wait. */
  replace(worker: WorkerProcess, cause: StopCause): void {
    if (worker.replace === null || cause.kind === "recycle") worker.replace = cause;
  }

  /** Takes every worker that is due one step further, and looks at those whose limits ask for it. */
  tick(now: number): void {
    for (const worker of [...this.#workers.values()]) {
      if (nextTick(worker.state) <= now) this.#feed(worker, { kind: "tick" });
    }
    if (now < this.#nextLookAt) return;
    for (const worker of this.#toLookAt()) this.#look(worker, now);
    this.#nextLookAt = now + LOOK_EVERY_MS;
  }

  /** When {@link tick} is next due. */
  deadline(): number {
    const nextLookAt = this.#toLookAt().length > 0 ? this.#nextLookAt : Number.POSITIVE_INFINITY;
    return Math.min(nextLookAt, ...[...this.#workers.values()].map((worker) => nextTick(worker.state)));
  }

  /** What failed before may have been mended: it is tried at once. The record of crashes stays. */
  forgive(): void {
    this.backoff = { ...calm, crashes: this.backoff.crashes };
    this.lastFailure = null;
  }

  #toLookAt(): WorkerProcess[] {
    return [...this.#workers.values()].filter(
      (worker) => worker.state.kind === "ready" && needsLooking(worker.limits),
    );
  }

  #look(worker: WorkerProcess, now: number): void {
    const facts = this.#examiner.look(worker, now, this.#context.clock.now());
    const kill = whyKill(worker.limits, facts);
    if (kill !== null) {
      this.vacated.set(worker.slot, { kind: "replace", pid: worker.pid, because: kill.kind });
      this.#feed(worker, { kind: "kill", cause: kill });
      return;
    }
    const recycle = whyRecycle(worker.limits, facts);
    if (recycle !== null) this.replace(worker, recycle);
  }

  /** One step of one worker: the table decides, this performs and tells. */
  #feed(worker: WorkerProcess, input: WorkerInput): void {
    const before = worker.state;
    const { state, effects } = step(before, input, this.#context.clock.monotonic());
    worker.state = state;
    for (const effect of effects) worker.perform(effect, this.succeeded ? "keep" : "close");
    if (state.kind === before.kind) return;
    if (state.kind === "ready") this.#onReady(worker);
    else if (state.kind === "gone")
      this.#onGone(worker, state.exit, state.wasReady ? state.readyForMs : null, input);
    else if (state.kind === "draining") {
      const deadlineMs = Math.max(0, Math.round(state.nextAt - state.since));
      this.#context.emit({ type: "worker-draining", ...this.#who(worker), cause: state.cause, deadlineMs });
      // It has failed now, not when its end comes: what is planned meanwhile must know.
      if (state.cause.kind === "start-timeout")
        this.#onUnasked(worker, { kind: "stopped", cause: state.cause }, null);
    } else if (state.kind === "killing") {
      const afterMs = Math.round(this.#context.clock.monotonic() - state.since);
      this.#context.emit({ type: "worker-killing", ...this.#who(worker), cause: state.cause, afterMs });
    }
  }

  #onReady(worker: WorkerProcess): void {
    this.backoff = afterReady(this.backoff);
    this.lastFailure = null;
    const tookMs = this.#context.clock.now() - worker.startedAt;
    this.#context.emit({ type: "worker-ready", ...this.#who(worker), tookMs });
    this.handover.retry();
  }

  #onGone(worker: WorkerProcess, exit: ExitCause, readyForMs: number | null, input: WorkerInput): void {
    const { code, signal } = input.kind === "exited" ? input : { code: null, signal: null };
    const last = worker.board();
    this.#workers.delete(worker.id);
    this.tally.addWorker(last);
    this.tally.addExit(exit);
    this.lastExits.set(worker.slot, { code, signal, cause: exit.kind, at: this.#context.clock.now() });
    const unasked = failedToStart(exit) || exit.kind === "crashed";
    const lost: readonly LostRequest[] = exit.kind === "stopped" ? [] : (last?.current ?? []);
    this.#context.emit({
      type: "worker-exited",
      ...this.#who(worker),
      code,
      signal,
      cause: exit,
      uptimeMs: this.#context.clock.now() - worker.startedAt,
      requests: last?.requests ?? null,
      lost,
      output: unasked ? worker.lastLines : [],
    });
    const known = exit.kind === "stopped" || exit.kind === "killed";
    if (unasked && !known) this.#onUnasked(worker, exit, readyForMs, code, signal);
  }

  /** It will be missed: a successor is due, if not at once then after the backoff. */
  #onUnasked(
    worker: WorkerProcess,
    exit: ExitCause,
    readyForMs: number | null,
    code: number | null = null,
    signal: string | null = null,
  ): void {
    const { clock, random } = this.#context;
    const because = exit.kind === "stopped" || exit.kind === "killed" ? exit.cause.kind : exit.kind;
    this.vacated.set(worker.slot, { kind: "replace", pid: worker.pid, because });
    this.backoff = afterCrash(this.backoff, worker.pool.restart, readyForMs, clock.monotonic(), random());
    if (failedToStart(exit)) this.#onStartFailed(worker, describeExit(exit, code, signal));
    const delayMs = Math.round(this.backoff.retryAt - clock.monotonic());
    if (delayMs <= 0) return;
    const attempt = this.backoff.failures;
    this.#context.emit({ type: "worker-backoff", pool: this.#pool, slot: worker.slot, attempt, delayMs });
  }

  #onStartFailed(worker: WorkerProcess, how: string): void {
    const reason = `worker ${worker.slot} of pool "${this.#pool}" ${how}`;
    this.failedStarts += 1;
    this.lastFailure = { generation: worker.generation, reason, output: [...worker.lastLines] };
    // What an operator wanted replaced serves on: its successor would not start either.
    for (const other of this.#workers.values()) if (other.replace?.kind === "recycle") other.replace = null;
  }

  #adopters(): Candidate[] {
    return [...this.#workers.values()]
      .filter(({ handsOver, state }) => handsOver && state.kind === "ready")
      .map((member) => {
        const connections = member.board()?.connections ?? 0;
        return { member, current: this.#isCurrent(member), connections };
      });
  }

  #who(worker: WorkerProcess): { pool: string; slot: number; pid: number; generation: number } {
    return { pool: this.#pool, slot: worker.slot, pid: worker.pid, generation: worker.generation };
  }
}
