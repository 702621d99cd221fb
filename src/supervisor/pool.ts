/**
 * One pool: what it should be, and how it gets there. The shell around `core/plan.ts`: it tells the planner what is,
 * has the crew perform what the planner decides, and answers those who wait for the outcome.
 */

import type { EffectivePool } from "../config/types.ts";
import { OperationError } from "../control/target.ts";
import { formatAddress } from "../core/address.ts";
import { degradedUntil, isDegraded } from "../core/backoff.ts";
import type { StopCause } from "../core/events.ts";
import { isSettled, type PoolPlanInput, planPool } from "../core/plan.ts";
import { batchSize, judgeRollout, type Rollout } from "../core/rollout.ts";
import { parseScale, scaled } from "../core/sizing.ts";
import { Crew, type Version } from "./crew.ts";
import { closeListeners, type Listener } from "./listeners.ts";
import type { PoolContext } from "./pool-context.ts";
import type { WorkerProcess } from "./process.ts";
import type { SavedPool } from "./run-dir.ts";
import { Waiters } from "./waiters.ts";

export interface RolloutResult {
  readonly generation: number;
  readonly result: "ok" | "rolled-back";
  readonly reason: string | null;
  /** The failing worker's last lines. */
  readonly output: readonly string[];
  readonly tookMs: number;
}

/** What a rollout returns to should it fail, and who waits for it. */
interface RolloutUnderWay {
  readonly rollout: Rollout;
  readonly previous: Version;
  readonly previousWanted: number;
  readonly resolve: (result: RolloutResult) => void;
}

export interface LastReload {
  readonly generation: number;
  readonly result: "ok" | "rolled-back";
  readonly reason: string | null;
  /** Epoch milliseconds. */
  readonly at: number;
}

export class Pool {
  readonly name: string;
  readonly crew: Crew;
  lastReload: LastReload | null = null;

  readonly #context: PoolContext;
  readonly #startedAt: number;
  readonly #waiters = new Waiters();
  #current: Version;
  #newestGeneration: number;
  /** Why workers of another generation than the current one leave. */
  #generationCause: StopCause;
  #wanted: number;
  #stop: { readonly cause: StopCause; readonly graceMs: number } | null = null;
  /** Why it takes no work for the time being. */
  #drained: StopCause | null = null;
  #underWay: RolloutUnderWay | null = null;
  /** What it was before the last rollout that succeeded. */
  #before: Version | null = null;
  #degraded = false;
  #startedUp = false;

  /** @param wanted how many workers, where that is not what the configuration says: a scaled pool stays so over an upgrade */
  constructor(version: Version, context: PoolContext, wanted = version.spec.sizing.count) {
    this.name = version.spec.name;
    this.crew = new Crew(this.name, context, (worker) => this.#isCurrent(worker));
    this.#context = context;
    this.#current = version;
    this.#newestGeneration = version.generation;
    this.#generationCause = { kind: "reload", toGeneration: version.generation };
    this.#wanted = wanted;
    this.#startedAt = context.clock.monotonic();
    for (const { address, how } of version.listeners) {
      context.emit({ type: "listener-opened", pool: this.name, address: formatAddress(address), how });
    }
    context.emit({ type: "pool-started", pool: this.name, listen: this.#addresses(), wanted: this.#wanted });
  }

  // What others may know of it.

  get version(): Version {
    return this.#current;
  }

  /** Of all that there have been, those included that were rolled back. */
  get newestGeneration(): number {
    return this.#newestGeneration;
  }

  get wanted(): number {
    return this.#wanted;
  }

  get stopping(): boolean {
    return this.#stop !== null;
  }

  /** Whether it was told to take no work until it is resumed. */
  get drained(): boolean {
    return this.#drained !== null;
  }

  /** What it was configured to be before the last reload that changed it; `null` where there was none. */
  get specBefore(): EffectivePool | null {
    return this.#before?.spec ?? null;
  }

  get reloading(): boolean {
    return this.#underWay !== null;
  }

  get degraded(): boolean {
    return this.#degraded;
  }

  /** Whether it has had all its workers ready at some time. */
  get startedUp(): boolean {
    return this.#startedUp;
  }

  /** True once it has stopped and nothing of it is left. */
  get gone(): boolean {
    return this.#stop !== null && this.crew.size === 0;
  }

  /** Whether recycling waits: what is on disk did not start when it was last tried. */
  get holding(): boolean {
    return this.lastReload?.result === "rolled-back";
  }

  /** What is wrong with a pool that is degraded or does not get started, in a sentence. */
  get troubles(): string {
    const { degradedAfter, windowMs } = this.#current.spec.restart;
    return (
      this.crew.lastFailure?.reason ??
      `workers of pool "${this.name}" crashed ${degradedAfter} times or more within ${windowMs / 1_000} s`
    );
  }

  /** When the next start will be tried, in epoch milliseconds; `null` where none is being waited for. */
  get nextTryAt(): number | null {
    const wait = this.crew.backoff.retryAt - this.#context.clock.monotonic();
    return wait > 0 ? Math.round(this.#context.clock.now() + wait) : null;
  }

  save(): SavedPool {
    const { name, crew } = this;
    const { protocol } = this.#current.spec;
    const generation = this.#newestGeneration;
    return { name, generation, protocol, listeners: this.#addresses(), workers: crew.save() };
  }

  // What operators ask of it. Each takes effect in the turn that follows.

  /** Resolves once every worker has been ready. @throws OperationError after so many failed starts */
  started(failedStarts: number): Promise<void> {
    const failed = this.#afterFailedStarts(failedStarts);
    return this.#waiters.until({ what: `start pool "${this.name}"`, reached: () => this.#startedUp, failed });
  }

  /** Rolls to a new version, new before old. Resolves with the verdict; the old workers may still be draining. */
  roll(next: Omit<Version, "generation">, by: string): Promise<RolloutResult> {
    const previous = this.#current;
    const previousWanted = this.#wanted;
    this.#newestGeneration += 1;
    const generation = this.#newestGeneration;
    this.#current = { ...next, generation };
    this.#generationCause = { kind: "reload", toGeneration: generation };
    if (next.spec.sizing.count !== previous.spec.sizing.count) this.#wanted = next.spec.sizing.count;
    this.crew.forgive();
    this.#context.emit({ type: "reload-started", pool: this.name, generation, by });
    const rollout = { from: previous.generation, to: generation, startedAt: this.#context.clock.monotonic() };
    return new Promise((resolve) => {
      this.#underWay = { rollout, previous, previousWanted, resolve };
    });
  }

  /** Changes the wanted count. Resolves when the workers are ready, or told to leave. @throws OperationError, RangeError */
  async scale(request: number | string, by: string): Promise<{ from: number; to: number }> {
    this.#requireWork("scale");
    const from = this.#wanted;
    const to = scaled(from, parseScale(request));
    this.#wanted = to;
    if (from !== to) this.#context.emit({ type: "pool-scaled", pool: this.name, from, to, by });
    const what = `scale pool "${this.name}" to ${to}`;
    const reached = (now: number) => isSettled(this.#planInput(now));
    await this.#waiters.until({ what, reached, failed: this.#afterFailedStarts(1) });
    return { from, to };
  }

  /** Replaces workers, new before old. Resolves when the old ones take no more work. @throws OperationError */
  async recycle(slot: number | undefined): Promise<{ slot: number; pid: number }[]> {
    this.#requireWork("recycle");
    const chosen = this.#readyIn(slot);
    for (const worker of chosen) this.crew.replace(worker, { kind: "recycle", by: "operator" });
    const what = `recycle ${slot === undefined ? "" : `worker ${slot} of `}pool "${this.name}"`;
    const reached = () => chosen.every((worker) => worker.state.kind !== "ready");
    await this.#waiters.until({ what, reached, failed: this.#afterFailedStarts(1) });
    return chosen.map((worker) => ({ slot: worker.slot, pid: worker.pid }));
  }

  /** Finishes what is active and takes nothing new: the sockets refuse. Resolves when no worker is left. */
  async drain(by: string): Promise<void> {
    if (this.#drained === null) {
      this.#drained = { kind: "drain", by };
      this.crew.succeeded = false;
      this.#closeListeners(this.#current.listeners);
      this.#current = { ...this.#current, listeners: [] };
    }
    const what = `drain pool "${this.name}"`;
    await this.#waiters.until({ what, reached: () => this.crew.size === 0, failed: () => null });
    this.#context.emit({ type: "pool-drained", pool: this.name });
  }

  /** Takes work again, on sockets that have been opened anew. Resolves when its workers are ready. @throws OperationError */
  async resume(listeners: readonly Listener[]): Promise<void> {
    this.#drained = null;
    this.crew.succeeded = true;
    this.crew.forgive();
    this.#current = { ...this.#current, listeners };
    const what = `resume pool "${this.name}"`;
    const reached = (now: number) => isSettled(this.#planInput(now));
    await this.#waiters.until({ what, reached, failed: this.#afterFailedStarts(1) });
    this.#context.emit({ type: "pool-resumed", pool: this.name });
  }

  /** Asks every worker to stop within `graceMs`. {@link gone} tells when that has come to pass. */
  stop(cause: StopCause, graceMs: number): void {
    const faster = cause.kind === "supervisor-stop" && cause.fast;
    if (this.#stop !== null && !faster) return;
    this.#stop = { cause, graceMs };
    this.crew.succeeded = this.#current.listeners.every(({ address }) => this.#context.isShared(address));
    if (faster) for (const { id } of this.crew.planned()) this.crew.stop(id, cause, 0);
    this.#waiters.rejectAll(new OperationError("GWPM_STOPPING", `pool "${this.name}" is being stopped`));
    this.#underWay?.resolve(this.#outcome(this.#underWay, "the pool is being stopped"));
    this.#underWay = null;
  }

  /** Lets sockets go that another pool has taken over. */
  giveAway(fds: ReadonlySet<number>): void {
    const listeners = this.#current.listeners.filter(({ fd }) => !fds.has(fd));
    this.#current = { ...this.#current, listeners };
  }

  /** Closes the sockets; the last act. */
  close(): void {
    this.crew.handover.close();
    this.#closeListeners(this.#current.listeners);
    this.#context.emit({ type: "pool-stopped", pool: this.name });
  }

  // The turn.

  /** Does what is due, plans, performs, and tells who waits. */
  turn(now: number): void {
    this.crew.tick(now);
    // A generation that has failed is abandoned before anything more of it is started.
    this.#judge(now);
    const { actions } = planPool(this.#planInput(now));
    // A worker that has just been told to leave makes room for the next replacement; its end may be far off.
    if (actions.length > 0) this.#context.enqueue(() => {});
    for (const action of actions) {
      if (action.kind === "start") this.crew.start(this.#current, action.slot, action.cause);
      else this.crew.stop(action.id, action.cause, this.#stop?.graceMs ?? this.#current.spec.timeouts.stopMs);
    }
    this.#judge(now);
    this.#noteHealth(now);
    this.#waiters.check(now);
  }

  /**
   * When {@link turn} is next due although nothing has happened; Infinity where only an event calls for one.
   *
   * @param now that of the turn just taken: by a later one, what has meanwhile come due would be nobody's
   */
  deadline(now: number): number {
    const { restart } = this.#current.spec;
    const health = this.#degraded ? degradedUntil(this.crew.backoff, restart) : Number.POSITIVE_INFINITY;
    return Math.min(planPool(this.#planInput(now)).wakeAt, health, this.crew.deadline());
  }

  #isCurrent({ generation, replace, slot }: WorkerProcess): boolean {
    return generation === this.#current.generation && replace === null && slot < this.#wanted;
  }

  #planInput(now: number): PoolPlanInput {
    return {
      stopping: this.#stop?.cause ?? this.#drained,
      wanted: this.#wanted,
      generation: this.#current.generation,
      generationCause: this.#generationCause,
      hold: this.holding,
      batch: batchSize(this.#current.spec.reload.batch, this.#wanted),
      workers: this.crew.planned(),
      backoff: this.crew.backoff,
      vacated: this.crew.vacated,
      now,
    };
  }

  /** Looks whether the rollout under way, or the very first start, has come to its end. */
  #judge(now: number): void {
    const under = this.#underWay;
    if (under === null) {
      if (!this.#startedUp && isSettled(this.#planInput(now))) this.#announceReady(this.#startedAt);
      return;
    }
    const verdict = judgeRollout(under.rollout, this.#planInput(now), this.crew.lastFailure);
    if (verdict.kind === "running") return;
    const outcome = this.#outcome(under, verdict.kind === "ok" ? null : verdict.reason);
    this.#underWay = null;
    if (outcome.result === "ok") {
      this.#before = under.previous;
      this.#closeUnshared(under.previous.listeners, this.#current.listeners);
    } else this.#rollBack(under);
    const { output: _, tookMs, ...told } = outcome;
    this.lastReload = { ...told, at: this.#context.clock.now() };
    this.#context.emit({ type: "reload-finished", pool: this.name, ...told, tookMs });
    if (outcome.result === "ok" && !this.#startedUp) this.#announceReady(under.rollout.startedAt);
    under.resolve(outcome);
  }

  /** The generation that failed is abandoned; the one before it is wanted again, and still serves. */
  #rollBack(under: RolloutUnderWay): void {
    const abandoned = this.#current;
    this.#current = under.previous;
    this.#wanted = under.previousWanted;
    this.#generationCause = { kind: "rollback", generation: under.previous.generation };
    this.crew.forgive();
    this.crew.vacated.clear();
    this.#closeUnshared(abandoned.listeners, under.previous.listeners);
  }

  #announceReady(since: number): void {
    this.#startedUp = true;
    const tookMs = Math.round(this.#context.clock.monotonic() - since);
    this.#context.emit({ type: "pool-ready", pool: this.name, generation: this.#current.generation, tookMs });
  }

  /** Says once that the pool has become degraded, and once that it has recovered. */
  #noteHealth(now: number): void {
    const degraded = this.#stop === null && isDegraded(this.crew.backoff, this.#current.spec.restart, now);
    if (degraded === this.#degraded) return;
    this.#degraded = degraded;
    const { name: pool, troubles: reason, nextTryAt } = this;
    if (degraded) this.#context.emit({ type: "pool-degraded", pool, reason, nextTryAt });
    else if (this.#stop === null) this.#context.emit({ type: "pool-recovered", pool });
  }

  /** For those who wait: the last failed start, once there have been so many from now on. */
  #afterFailedStarts(count: number): () => OperationError | null {
    const limit = this.crew.failedStarts + count;
    return () => {
      const { failedStarts, lastFailure } = this.crew;
      if (failedStarts < limit || lastFailure === null) return null;
      return new OperationError("GWPM_START_FAILED", lastFailure.reason, { errors: lastFailure.output });
    };
  }

  #requireWork(verb: string): void {
    if (this.#drained === null) return;
    const message = `Cannot ${verb} pool "${this.name}": it is drained; resume it first`;
    throw new OperationError("GWPM_DRAINED", message);
  }

  #readyIn(slot: number | undefined): WorkerProcess[] {
    const ready = [...this.crew.workers].filter((worker) => worker.state.kind === "ready");
    if (slot === undefined) return ready;
    const chosen = ready.filter((worker) => worker.slot === slot);
    if (chosen.length > 0) return chosen;
    const slots = [...new Set(ready.map((worker) => worker.slot))].sort((a, b) => a - b).join(", ") || "none";
    const message = `pool "${this.name}" has no ready worker ${slot}; ready: ${slots}`;
    throw new OperationError("GWPM_NO_SUCH_WORKER", message, { status: 404 });
  }

  /** @param failure why it was rolled back; `null` where it was not */
  #outcome({ rollout }: RolloutUnderWay, failure: string | null): RolloutResult {
    const tookMs = Math.round(this.#context.clock.monotonic() - rollout.startedAt);
    if (failure === null) return { generation: rollout.to, result: "ok", reason: null, output: [], tookMs };
    const output = this.crew.lastFailure?.output ?? [];
    return { generation: rollout.to, result: "rolled-back", reason: failure, output, tookMs };
  }

  #closeUnshared(listeners: readonly Listener[], keep: readonly Listener[]): void {
    this.#closeListeners(listeners.filter((listener) => !keep.some(({ fd }) => fd === listener.fd)));
  }

  #closeListeners(listeners: readonly Listener[]): void {
    closeListeners(listeners, (address) => this.#context.isShared(address));
    for (const { address } of listeners) {
      this.#context.emit({ type: "listener-closed", pool: this.name, address: formatAddress(address) });
    }
  }

  #addresses(): string[] {
    return this.#current.listeners.map((listener) => formatAddress(listener.address));
  }
}
