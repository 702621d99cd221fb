/**
 * One pool: its workers, its sockets, and what is under way with them. The shell around `core/plan.ts`: it feeds the
 * planner what is, performs what the planner decides, and tells the journal.
 */

import type { EffectivePool } from "../config/types.ts";
import { OperationError } from "../control/target.ts";
import { formatAddress } from "../core/address.ts";
import { afterCrash, afterReady, type Backoff, calm, degradedUntil, isDegraded } from "../core/backoff.ts";
import type { ExitCause, LostRequest, StartCause, StopCause } from "../core/events.ts";
import { describeExit } from "../core/exits.ts";
import { isSettled, type PlannedWorker, type PoolPlanInput, planPool } from "../core/plan.ts";
import { batchSize, type FailedStart, judgeRollout, type Rollout } from "../core/rollout.ts";
import { parseScale, scaled } from "../core/sizing.ts";
import { failedToStart, nextTick, step, type WorkerInput } from "../core/worker.ts";
import type { Launch } from "../runtimes/launch.ts";
import { closeListeners, type Listener } from "./listeners.ts";
import type { PoolContext } from "./pool-context.ts";
import { WorkerProcess } from "./process.ts";
import type { SavedPool } from "./run-dir.ts";
import { Tally } from "./tally.ts";
import { Waiters } from "./waiters.ts";

/** One version of a pool's code and configuration. */
export interface Version {
  readonly generation: number;
  readonly spec: EffectivePool;
  readonly listeners: readonly Listener[];
  readonly launch: (spec: EffectivePool) => Launch;
}

export interface RolloutResult {
  readonly generation: number;
  readonly result: "ok" | "rolled-back";
  readonly reason: string | null;
  /** The failing worker's last lines. */
  readonly output: readonly string[];
  readonly tookMs: number;
}

interface RolloutUnderWay {
  readonly rollout: Rollout;
  readonly previous: Version;
  readonly previousWanted: number;
  readonly resolve: (result: RolloutResult) => void;
}

interface StartFailure extends FailedStart {
  readonly output: readonly string[];
}

export class Pool {
  readonly name: string;
  readonly tally = new Tally();
  lastReload: { generation: number; result: "ok" | "rolled-back"; reason: string | null; at: number } | null =
    null;
  /** The last start that failed since a worker last got ready. */
  lastFailure: StartFailure | null = null;
  lastExits = new Map<number, { code: number | null; signal: string | null; cause: string; at: number }>();

  readonly #context: PoolContext;
  readonly #startedAt: number;
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #vacated = new Map<number, StartCause>();
  readonly #waiters = new Waiters();
  #current: Version;
  #newestGeneration: number;
  #generationCause: StopCause;
  #wanted: number;
  #backoff: Backoff = calm;
  #stopping: StopCause | null = null;
  #stopGraceMs = 0;
  #underWay: RolloutUnderWay | null = null;
  #degraded = false;
  #settledOnce = false;
  #failedStarts = 0;
  #nextWorkerId = 1;

  constructor(version: Version, context: PoolContext) {
    this.name = version.spec.name;
    this.#context = context;
    this.#current = version;
    this.#newestGeneration = version.generation;
    this.#generationCause = { kind: "reload", toGeneration: version.generation };
    this.#wanted = version.spec.sizing.count;
    this.#startedAt = context.clock.monotonic();
    for (const { address, how } of version.listeners) {
      context.emit({ type: "listener-opened", pool: this.name, address: formatAddress(address), how });
    }
    const listen = version.listeners.map((listener) => formatAddress(listener.address));
    context.emit({ type: "pool-started", pool: this.name, listen, wanted: this.#wanted });
  }

  // What others may know of it.

  get version(): Version {
    return this.#current;
  }

  get wanted(): number {
    return this.#wanted;
  }

  get workers(): Iterable<WorkerProcess> {
    return this.#workers.values();
  }

  get backoff(): Backoff {
    return this.#backoff;
  }

  get stopping(): boolean {
    return this.#stopping !== null;
  }

  get reloading(): boolean {
    return this.#underWay !== null;
  }

  get degraded(): boolean {
    return this.#degraded;
  }

  /** Whether it has had all its workers ready at some time. */
  get startedUp(): boolean {
    return this.#settledOnce;
  }

  /** True once it has stopped and nothing of it is left. */
  get gone(): boolean {
    return this.#stopping !== null && this.#workers.size === 0;
  }

  save(): SavedPool {
    const workers = [...this.#workers.values()]
      .map((worker) => worker.save())
      .filter((saved) => saved !== undefined);
    const listeners = this.#current.listeners.map((listener) => formatAddress(listener.address));
    return { name: this.name, generation: this.#newestGeneration, listeners, workers };
  }

  // What operators ask of it. Each takes effect in the turn that follows.

  /** Rolls to a new version, new before old. Resolves with the verdict; the old workers may still be draining. */
  roll(next: Omit<Version, "generation">, by: string): Promise<RolloutResult> {
    const previous = this.#current;
    const previousWanted = this.#wanted;
    this.#newestGeneration += 1;
    const generation = this.#newestGeneration;
    this.#current = { ...next, generation };
    this.#generationCause = { kind: "reload", toGeneration: generation };
    if (next.spec.sizing.count !== previous.spec.sizing.count) this.#wanted = next.spec.sizing.count;
    // What failed before may be what this reload mends: it is tried at once.
    this.#backoff = { ...calm, crashes: this.#backoff.crashes };
    this.lastFailure = null;
    this.#context.emit({ type: "reload-started", pool: this.name, generation, by });
    const rollout = { from: previous.generation, to: generation, startedAt: this.#context.clock.monotonic() };
    return new Promise((resolve) => {
      this.#underWay = { rollout, previous, previousWanted, resolve };
    });
  }

  /** Changes the wanted count. Resolves when the workers are ready, or told to leave. @throws OperationError */
  async scale(request: number | string, by: string): Promise<{ from: number; to: number }> {
    const from = this.#wanted;
    const to = scaled(from, parseScale(request));
    this.#wanted = to;
    if (from !== to) this.#context.emit({ type: "pool-scaled", pool: this.name, from, to, by });
    const what = `scale pool "${this.name}" to ${to}`;
    await this.#waiters.until({ what, reached: () => this.#isSettled(), failed: this.#afterFailedStarts(1) });
    return { from, to };
  }

  /** Replaces workers, new before old. Resolves when the old ones take no more work. @throws OperationError */
  async recycle(slot: number | undefined): Promise<{ slot: number; pid: number }[]> {
    const chosen = this.#servingIn(slot);
    for (const worker of chosen) worker.replace = { kind: "recycle", by: "operator" };
    const what = `recycle ${chosen.length === 1 ? `worker ${chosen[0]!.slot} of ` : ""}pool "${this.name}"`;
    const reached = () => chosen.every((worker) => worker.state.kind !== "ready");
    await this.#waiters.until({ what, reached, failed: this.#afterFailedStarts(1) });
    return chosen.map((worker) => ({ slot: worker.slot, pid: worker.pid }));
  }

  /** Resolves once every worker has been ready. @throws OperationError after so many failed starts */
  started(failedStarts: number): Promise<void> {
    const failed = this.#afterFailedStarts(failedStarts);
    return this.#waiters.until({
      what: `start pool "${this.name}"`,
      reached: () => this.#settledOnce,
      failed,
    });
  }

  /** Asks every worker to stop within `graceMs`. {@link gone} tells when that has come to pass. */
  stop(cause: StopCause, graceMs: number): void {
    const faster = cause.kind === "supervisor-stop" && cause.fast;
    if (this.#stopping !== null && !faster) return;
    this.#stopping = cause;
    this.#stopGraceMs = graceMs;
    if (faster) for (const worker of this.#workers.values()) this.#feed(worker, { kind: "kill", cause });
    this.#waiters.rejectAll(new OperationError("GWPM_STOPPING", `pool "${this.name}" is being stopped`));
    this.#underWay?.resolve(this.#verdict(this.#underWay, "rolled-back", "the pool is being stopped", []));
    this.#underWay = null;
  }

  /** Closes the sockets; the last act. */
  close(): void {
    for (const { address } of this.#current.listeners) {
      this.#context.emit({ type: "listener-closed", pool: this.name, address: formatAddress(address) });
    }
    closeListeners(this.#current.listeners);
    this.#context.emit({ type: "pool-stopped", pool: this.name });
  }

  // The turn.

  /** Looks at the clock, plans, performs, and tells who waits. */
  turn(): void {
    const now = this.#context.clock.monotonic();
    for (const worker of [...this.#workers.values()]) {
      if (nextTick(worker.state) <= now) this.#feed(worker, { kind: "tick" });
    }
    for (const action of planPool(this.#planInput()).actions) {
      if (action.kind === "start") this.#start(action.slot, action.cause);
      else this.#stopWorker(this.#workers.get(action.id)!, action.cause);
    }
    this.#judge();
    this.#noteHealth(now);
    this.#waiters.check();
  }

  /** When {@link turn} is next due although nothing has happened; Infinity where only an event calls for one. */
  deadline(): number {
    const ticks = [...this.#workers.values()].map((worker) => nextTick(worker.state));
    const health = this.#degraded
      ? degradedUntil(this.#backoff, this.#current.spec.restart)
      : Number.POSITIVE_INFINITY;
    return Math.min(planPool(this.#planInput()).wakeAt, health, ...ticks);
  }

  #planInput(): PoolPlanInput {
    return {
      stopping: this.#stopping,
      wanted: this.#wanted,
      generation: this.#current.generation,
      generationCause: this.#generationCause,
      batch: batchSize(this.#current.spec.reload.batch, this.#wanted),
      workers: [...this.#workers.values()].map(toPlanned),
      backoff: this.#backoff,
      vacated: this.#vacated,
      now: this.#context.clock.monotonic(),
    };
  }

  #isSettled(): boolean {
    return isSettled(this.#planInput());
  }

  #start(slot: number, cause: StartCause): void {
    const { spec, generation, listeners, launch } = this.#current;
    const { clock, runDir } = this.#context;
    const id = this.#nextWorkerId++;
    const now = { monotonic: clock.monotonic(), epoch: clock.now() };
    const request = { id, slot, generation, pool: spec, launch: launch(spec), listeners, runDir, now };
    const feed = (input: WorkerInput) => this.#context.enqueue(() => this.#feed(worker, input));
    const worker: WorkerProcess = new WorkerProcess(request, {
      onReady: () => feed({ kind: "ready" }),
      onExit: (code, signal) => feed({ kind: "exited", code, signal }),
      onSpawnFailed: (error) => feed({ kind: "spawn-failed", error }),
      onRecycleAsked: (reason) =>
        this.#context.enqueue(() => {
          worker.replace ??= { kind: "asked", reason };
        }),
      onLine: (stream, { text, truncated }) =>
        this.#context.logLine({
          at: new Date(clock.now()).toISOString(),
          pool: this.name,
          slot,
          pid: worker.pid,
          stream,
          line: text,
          ...(truncated ? { truncated } : {}),
        }),
    });
    this.#workers.set(id, worker);
    this.#vacated.delete(slot);
    this.#context.emit({ type: "worker-starting", ...this.#who(worker), cause });
  }

  #stopWorker(worker: WorkerProcess, cause: StopCause): void {
    if (cause.kind === "supervisor-stop" && cause.fast) this.#feed(worker, { kind: "kill", cause });
    else {
      const graceMs = this.#stopping === null ? worker.pool.timeouts.stopMs : this.#stopGraceMs;
      this.#feed(worker, { kind: "stop", cause, graceMs });
    }
  }

  /** One step of one worker: the table decides, this performs and tells. */
  #feed(worker: WorkerProcess, input: WorkerInput): void {
    const before = worker.state;
    const { state, effects } = step(before, input, this.#context.clock.monotonic());
    worker.state = state;
    for (const effect of effects) worker.perform(effect, this.#stopping === null ? "keep" : "close");
    if (state.kind === before.kind) return;
    if (state.kind === "ready") this.#onReady(worker);
    else if (state.kind === "gone")
      this.#onGone(worker, state.exit, state.wasReady ? state.readyForMs : null, input);
    else if (state.kind === "draining") {
      const deadlineMs = Math.max(0, Math.round(state.nextAt - state.since));
      this.#context.emit({ type: "worker-draining", ...this.#who(worker), cause: state.cause, deadlineMs });
    } else if (state.kind === "killing") {
      const afterMs = Math.round(this.#context.clock.monotonic() - state.since);
      this.#context.emit({ type: "worker-killing", ...this.#who(worker), cause: state.cause, afterMs });
    }
  }

  #onReady(worker: WorkerProcess): void {
    this.#backoff = afterReady(this.#backoff);
    if (worker.generation === this.#current.generation) this.lastFailure = null;
    const tookMs = this.#context.clock.now() - worker.startedAt;
    this.#context.emit({ type: "worker-ready", ...this.#who(worker), tookMs });
  }

  #onGone(worker: WorkerProcess, exit: ExitCause, readyForMs: number | null, input: WorkerInput): void {
    const { code, signal } = input.kind === "exited" ? input : { code: null, signal: null };
    const { clock, random } = this.#context;
    const last = worker.scoreboard?.read() ?? null;
    this.#workers.delete(worker.id);
    this.tally.addWorker(last);
    this.tally.addExit(exit);
    this.lastExits.set(worker.slot, { code, signal, cause: exit.kind, at: clock.now() });
    const asked = exit.kind === "stopped" || exit.kind === "killed";
    const lost: readonly LostRequest[] = exit.kind === "stopped" ? [] : (last?.current ?? []);
    this.#context.emit({
      type: "worker-exited",
      ...this.#who(worker),
      code,
      signal,
      cause: exit,
      uptimeMs: clock.now() - worker.startedAt,
      requests: last?.requests ?? null,
      lost,
      output: asked && !failedToStart(exit) ? [] : worker.lastLines,
    });
    if (asked && !failedToStart(exit)) return;
    const because = asked ? exit.cause.kind : exit.kind;
    this.#vacated.set(worker.slot, { kind: "replace", pid: worker.pid, because });
    this.#backoff = afterCrash(this.#backoff, worker.pool.restart, readyForMs, clock.monotonic(), random());
    if (failedToStart(exit)) this.#onStartFailed(worker, describeExit(exit, code, signal));
    const delayMs = Math.round(this.#backoff.retryAt - clock.monotonic());
    if (delayMs > 0) {
      const attempt = this.#backoff.failures;
      this.#context.emit({ type: "worker-backoff", pool: this.name, slot: worker.slot, attempt, delayMs });
    }
  }

  #onStartFailed(worker: WorkerProcess, how: string): void {
    const reason = `worker ${worker.slot} of pool "${this.name}" ${how}`;
    this.#failedStarts += 1;
    this.lastFailure = { generation: worker.generation, reason, output: [...worker.lastLines] };
    // Voluntary replacements wait until somebody mends what keeps workers from starting.
    for (const other of this.#workers.values()) if (other.replace?.kind === "recycle") other.replace = null;
  }

  /** For those who wait: the last failed start, once there have been so many since now. */
  #afterFailedStarts(count: number): () => OperationError | null {
    const limit = this.#failedStarts + count;
    return () => {
      if (this.#failedStarts < limit || this.lastFailure === null) return null;
      const { reason, output } = this.lastFailure;
      return new OperationError("GWPM_START_FAILED", reason, { errors: output });
    };
  }

  #judge(): void {
    const under = this.#underWay;
    if (under === null) {
      if (!this.#settledOnce && this.#isSettled()) this.#announceReady(this.#startedAt);
      return;
    }
    const verdict = judgeRollout(under.rollout, this.#planInput(), this.lastFailure);
    if (verdict.kind === "running") return;
    this.#underWay = null;
    const output = verdict.kind === "ok" ? [] : (this.lastFailure?.output ?? []);
    if (verdict.kind === "ok") this.#settle(under);
    else this.#rollBack(under);
    const reason = verdict.kind === "ok" ? null : verdict.reason;
    const result = this.#verdict(under, verdict.kind, reason, output);
    this.lastReload = {
      generation: result.generation,
      result: result.result,
      reason,
      at: this.#context.clock.now(),
    };
    this.#context.emit({ type: "reload-finished", pool: this.name, ...omitOutput(result) });
    under.resolve(result);
  }

  #settle(under: RolloutUnderWay): void {
    this.#closeUnshared(under.previous.listeners, this.#current.listeners);
    if (!this.#settledOnce) this.#announceReady(under.rollout.startedAt);
  }

  /** The generation that failed is abandoned; the one before it is wanted again, and still serves. */
  #rollBack(under: RolloutUnderWay): void {
    const abandoned = this.#current;
    this.#current = under.previous;
    this.#wanted = under.previousWanted;
    this.#generationCause = { kind: "rollback", generation: under.previous.generation };
    this.#backoff = { ...calm, crashes: this.#backoff.crashes };
    this.#vacated.clear();
    this.#closeUnshared(abandoned.listeners, under.previous.listeners);
  }

  #closeUnshared(listeners: readonly Listener[], keep: readonly Listener[]): void {
    const unshared = listeners.filter((listener) => !keep.some(({ fd }) => fd === listener.fd));
    closeListeners(unshared);
    for (const { address } of unshared) {
      this.#context.emit({ type: "listener-closed", pool: this.name, address: formatAddress(address) });
    }
  }

  #announceReady(since: number): void {
    this.#settledOnce = true;
    const tookMs = Math.round(this.#context.clock.monotonic() - since);
    this.#context.emit({ type: "pool-ready", pool: this.name, generation: this.#current.generation, tookMs });
  }

  #noteHealth(now: number): void {
    const degraded = this.#stopping === null && isDegraded(this.#backoff, this.#current.spec.restart, now);
    if (degraded === this.#degraded) return;
    this.#degraded = degraded;
    if (!degraded) {
      this.#context.emit({ type: "pool-recovered", pool: this.name });
      return;
    }
    this.#context.emit({
      type: "pool-degraded",
      pool: this.name,
      reason: this.troubles(),
      nextTryAt: this.nextTryAt(),
    });
  }

  /** What is wrong with a degraded pool, in a sentence. */
  troubles(): string {
    const { degradedAfter, windowMs } = this.#current.spec.restart;
    return (
      this.lastFailure?.reason ??
      `workers of pool "${this.name}" crashed ${degradedAfter} times or more within ${windowMs / 1_000} s`
    );
  }

  /** When the next start will be tried, in epoch milliseconds; `null` where none is being waited for. */
  nextTryAt(): number | null {
    const wait = this.#backoff.retryAt - this.#context.clock.monotonic();
    return wait > 0 ? Math.round(this.#context.clock.now() + wait) : null;
  }

  #servingIn(slot: number | undefined): WorkerProcess[] {
    const ready = [...this.#workers.values()].filter((worker) => worker.state.kind === "ready");
    if (slot === undefined) return ready;
    const chosen = ready.filter((worker) => worker.slot === slot);
    if (chosen.length > 0) return chosen;
    const slots = [...new Set(ready.map((worker) => worker.slot))].sort((a, b) => a - b).join(", ") || "none";
    throw new OperationError(
      "GWPM_NO_SUCH_WORKER",
      `pool "${this.name}" has no ready worker ${slot}; ready: ${slots}`,
      {
        status: 404,
      },
    );
  }

  #verdict(
    under: RolloutUnderWay,
    result: "ok" | "rolled-back",
    reason: string | null,
    output: readonly string[],
  ): RolloutResult {
    const tookMs = Math.round(this.#context.clock.monotonic() - under.rollout.startedAt);
    return { generation: under.rollout.to, result, reason, output, tookMs };
  }

  #who(worker: WorkerProcess): { pool: string; slot: number; pid: number; generation: number } {
    return { pool: this.name, slot: worker.slot, pid: worker.pid, generation: worker.generation };
  }
}

function omitOutput({ output: _, ...rest }: RolloutResult): Omit<RolloutResult, "output"> {
  return rest;
}

function toPlanned(worker: WorkerProcess): PlannedWorker {
  const { id, slot, generation, pid, replace, state } = worker;
  const phase = state.kind === "starting" || state.kind === "ready" ? state.kind : "leaving";
  return { id, slot, generation, pid, replace, phase };
}
