/**
 * The supervisor: one queue, one loop. Whatever happens (a signal, a worker's message or end, an operator's command, a
 * deadline) is put in the queue; a turn takes everything out, lets every pool look, plan and act, and then sleeps until the
 * earliest deadline. It owns the listening sockets and never touches a request.
 */

import * as fs from "node:fs";
import type { EffectiveConfig } from "../config/types.ts";
import type { LogLine } from "../control/messages.ts";
import { OperationError } from "../control/target.ts";
import { type Address, formatAddress, parseAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { GwpmEvent } from "../core/events.ts";
import type { Journal } from "../observe/journal.ts";
import { codeOf } from "../system/errno.ts";
import { startTimeOf } from "../system/procfs.ts";
import { closeListener } from "../system/sockets.ts";
import type { Inherited } from "./listeners.ts";
import { LogLines } from "./log-lines.ts";
import { Orphans } from "./orphans.ts";
import { Pool } from "./pool.ts";
import type { NewEvent, PoolContext } from "./pool-context.ts";
import { httpUrl, type OpenedPool, openPool, type PoolPlan, poolsOf } from "./pool-plan.ts";
import type { ProcessId, RunDir, SavedState } from "./run-dir.ts";
import type { Totals } from "./tally.ts";
import { totalsOf } from "./totals.ts";
import type { HandedPool, Heir, UpgradeOrder } from "./upgrade-messages.ts";

/** Node's timers hold no more than 2^31-1 ms. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

export interface SupervisorOptions {
  readonly config: EffectiveConfig;
  readonly version: string;
  readonly runDir: RunDir;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly random: () => number;
  /** Where it is to take over from a running supervisor: it then leaves everything alone that is still the other's. */
  readonly upgrade: UpgradeOrder | null;
}

export class Supervisor {
  config: EffectiveConfig;
  readonly version: string;
  readonly runDir: RunDir;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly lines = new LogLines();
  readonly orphans: Orphans;
  /** Epoch milliseconds. */
  readonly startedAt: number;
  /** By name; the built-in HTTP listener of pool `web` is `web/http`. */
  readonly pools = new Map<string, Pool>();

  readonly #context: PoolContext;
  #queue: (() => void)[] = [];
  #scheduled = false;
  #timer: NodeJS.Timeout | undefined;
  #savedState = "";
  #finished = false;
  /** Whether workers that an earlier supervisor has left may go as soon as they have successors. */
  #settled: boolean;
  #sparing = false;
  #stopping: { fast: boolean; readonly by: string; readonly deadline: number } | null = null;
  readonly #stopped = withResolvers();
  readonly #upgrade: UpgradeOrder | null;
  /** Addresses that another supervisor's workers serve too: before we have taken over, and after we have handed over. */
  #shared: ReadonlySet<string>;
  #heir: Heir | null = null;
  /** Events of the moment in which nobody owns the journal; `null` outside of it. */
  #held: GwpmEvent[] | null = null;

  constructor(options: SupervisorOptions) {
    this.config = options.config;
    this.version = options.version;
    this.runDir = options.runDir;
    this.journal = options.journal;
    this.clock = options.clock;
    this.startedAt = options.clock.now();
    // In an upgrade the old supervisor sees its workers out.
    this.#settled = options.upgrade !== null;
    this.#upgrade = options.upgrade;
    const handed = options.upgrade?.pools.flatMap(({ listeners }) => listeners) ?? [];
    this.#shared = new Set(handed.map(({ address }) => address));
    this.#context = {
      clock: options.clock,
      random: options.random,
      runDir: options.runDir,
      isShared: (address: Address) => this.#isShared(formatAddress(address)),
      emit: (event) => this.emit(event),
      logLine: (line) => this.recordLine(line),
      enqueue: (handle) => this.enqueue(handle),
    };
    const { configFile } = options.config;
    this.emit({ type: "supervisor-started", pid: process.pid, version: options.version, configFile });
    this.orphans = new Orphans(this.#context);
    if (options.upgrade === null) this.#findOrphans();
  }

  get stopping(): boolean {
    return this.#stopping !== null;
  }

  /** @throws OperationError once it is on its way out, and operations are no longer its own to carry out */
  assertInCharge(): void {
    if (this.#heir !== null) {
      const message = `the supervisor has just handed over to a newer one (pid ${this.#heir.pid}); ask again`;
      throw new OperationError("GWPM_HANDED_OVER", message, { status: 503 });
    }
    if (this.stopping) throw new OperationError("GWPM_STOPPING", "the supervisor is stopping");
  }

  /** Resolves when every worker has gone and every socket is closed. */
  get stopped(): Promise<void> {
    return this.#stopped.promise;
  }

  /** Opens every socket, then starts every pool. @throws ListenError, with nothing left open */
  async open(): Promise<void> {
    const holders = this.orphans.holders();
    const opened: OpenedPool[] = [];
    try {
      for (const plan of poolsOf(this.config)) {
        const sources = { holders, inherited: this.#inheritedBy(plan.spec.name) };
        opened.push(await openPool(plan, sources, opened));
      }
    } catch (error) {
      for (const { abandon } of opened) abandon();
      throw error;
    }
    const used = new Set(opened.flatMap(({ version }) => version.listeners.map(({ fd }) => fd)));
    for (const { listeners } of this.#upgrade?.pools ?? []) {
      for (const { fd } of listeners) if (!used.has(fd)) closeListener(fd);
    }
    this.#dismissOrphans(opened);
    this.enqueue(() => {
      for (const { plan, version } of opened) this.addPool(plan, version, this.#handedOver(plan.spec.name));
    });
  }

  /**
   * Orphans whose pool is gone from the configuration, or speaks another protocol now, would answer wrongly on a socket
   * that somebody else's front end reaches: they take nothing new from here on. What they finish waits for nobody.
   */
  #dismissOrphans(opened: readonly OpenedPool[]): void {
    const successors = new Map(opened.map(({ plan }) => [plan.spec.name, plan.spec.protocol as string]));
    this.orphans.drain(this.config.stopTimeoutMs, ({ pool, protocol }) => successors.get(pool) !== protocol);
    const addresses = new Set(
      opened.flatMap(({ version }) => version.listeners.map(({ address }) => formatAddress(address))),
    );
    for (const address of this.orphans.holders().keys()) {
      if (address.startsWith("unix:") && !addresses.has(address))
        fs.rmSync(address.slice(5), { force: true });
    }
  }

  /** Adds a pool whose sockets are open. Called within a turn. @param former what it was under the supervisor before */
  addPool(plan: PoolPlan, version: Omit<Pool["version"], "generation">, former?: HandedPool): Pool {
    const { name } = plan.spec;
    const generation = (former?.generation ?? this.orphans.generationOf(name)) + 1;
    const { count } = plan.spec.sizing;
    const wanted = former?.configured === count ? former.wanted : count;
    const pool = new Pool({ ...version, generation }, this.#context, wanted);
    this.pools.set(name, pool);
    for (const { key, address, how } of version.listeners) {
      if (
        how === "bound" &&
        address.kind === "tcp" &&
        !key.endsWith(`:${address.port}`) &&
        !key.endsWith(":0")
      ) {
        this.emit({
          type: "warning",
          pool: name,
          text: `${key} is taken; it listens on port ${address.port} instead`,
        });
      }
    }
    return pool;
  }

  /** Puts something in the queue; it is done, and every pool plans anew, in the next turn. */
  enqueue(handle: () => void): void {
    this.#queue.push(handle);
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => this.#turn());
  }

  /** The same for an operation that resolves later. */
  run<T>(operation: () => T | Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.enqueue(() => {
        try {
          Promise.resolve(operation()).then(resolve, reject);
        } catch (error) {
          reject(error);
        }
      });
    });
  }

  emit(event: NewEvent): void {
    this.record({ at: this.clock.now(), ...event } as GwpmEvent);
  }

  /** Into the journal, or on to the supervisor that writes it now. */
  record(event: GwpmEvent): void {
    if (this.#held !== null) this.#held.push(event);
    else if (this.#heir === null) this.journal.append(event);
    else this.#tellHeir(this.#heir, event);
  }

  /** Where a worker's line goes: to those who read its pool's output, or on to the supervisor that they ask now. */
  recordLine(line: LogLine): void {
    if (this.#heir === null) this.lines.append(line);
    else this.#heir.line(line);
  }

  /** Counts on from where the supervisor before this one is. */
  inheritTotals(name: string, totals: Totals): void {
    const pool = this.pools.get(name);
    if (pool === undefined) return;
    pool.crew.tally.former = totals;
    this.#heir?.totals(name, totalsOf(pool));
  }

  /** Lets go of the journal and the state, for a successor to take: what happens meanwhile is kept until it is clear who has them. */
  async offerOffice(): Promise<void> {
    this.#held = [];
    await this.journal.leaveFile();
    this.runDir.leaveState();
  }

  /** Has them again: the successor has died, whose workers may have been noted in our place. Within a turn. */
  resumeOffice(): void {
    const left = this.runDir.readState();
    if (left !== undefined && left.supervisor.pid !== process.pid)
      this.orphans.adopt({ ...left, orphans: [] });
    this.runDir.promote();
    this.#savedState = "";
    this.#releaseEvents();
  }

  /** Takes over from a supervisor that has handed over, or died. Within a turn. @param keeper it, where it lives */
  takeOffice(keeper: ProcessId | null): void {
    this.orphans.adopt(this.runDir.readState(), keeper);
    this.#shared = new Set();
    this.runDir.promote();
    this.#savedState = "";
  }

  /**
   * Hands over: nothing is started any more, the workers finish, and whatever still happens is told to the heir. Within a turn.
   *
   * @param taken the addresses that the heir's workers serve
   */
  leaveOffice(heir: Heir, taken: ReadonlySet<string>): void {
    this.#heir = heir;
    this.#shared = taken;
    this.orphans.release();
    for (const pool of this.pools.values()) {
      pool.stop({ kind: "upgrade", successor: heir.pid }, pool.version.spec.timeouts.stopMs);
    }
    const deadline = this.clock.monotonic() + this.config.stopTimeoutMs;
    this.#stopping = { fast: false, by: "an upgrade", deadline };
    this.#releaseEvents();
    this.runDir.retire();
  }

  /** @throws OperationError where there is no such pool */
  pool(name: string): Pool {
    const pool = this.pools.get(name);
    if (pool !== undefined && !name.includes("/")) return pool;
    const names = [...this.pools.keys()].filter((one) => !one.includes("/"));
    throw new OperationError(
      "GWPM_NO_SUCH_POOL",
      `there is no pool "${name}"; the pools are ${names.join(", ")}`,
      {
        status: 404,
      },
    );
  }

  /** By pool, the URL of its built-in HTTP listener. */
  httpUrls(): Map<string, string> {
    const urls = new Map<string, string>();
    for (const [name, pool] of this.pools) {
      const listener = pool.version.listeners[0];
      if (name.endsWith("/http") && listener !== undefined)
        urls.set(name.slice(0, -5), httpUrl(listener.address));
    }
    return urls;
  }

  /** What wanted attention since it started. */
  warnings(): string[] {
    return this.journal
      .since(this.startedAt)
      .filter((entry) => entry.type === "warning")
      .map(({ text }) => text);
  }

  /** Stops everything. A second, fast call overtakes the first. */
  stop(by: string, fast: boolean): Promise<void> {
    this.enqueue(() => {
      if (this.#stopping !== null && (this.#stopping.fast || !fast)) return;
      // Of a supervisor that has handed over this says nothing: the service goes on.
      if (this.#heir === null) this.emit({ type: "supervisor-stopping", by, fast });
      const deadline = this.#stopping?.deadline ?? this.clock.monotonic() + this.config.stopTimeoutMs;
      this.#stopping = { fast, by, deadline };
    });
    return this.stopped;
  }

  /** The start has succeeded, or is not waited for: the workers of an earlier supervisor have successors that stay. */
  settle(): void {
    this.enqueue(() => {
      this.#settled = true;
    });
  }

  /** Ends what a start that failed has begun, and nothing else: the workers of an earlier supervisor serve on. */
  giveUp(by: string): Promise<void> {
    this.#sparing = true;
    return this.stop(by, true);
  }

  #turn(): void {
    this.#scheduled = false;
    const handles = this.#queue;
    this.#queue = [];
    for (const handle of handles) handle();
    // One time for the whole turn: what comes due while it is taken belongs to the next.
    const now = this.clock.monotonic();
    this.#stopPools(now);
    for (const [name, pool] of this.pools) {
      pool.turn(now);
      if (pool.gone) this.#removePool(name, pool);
      else if (this.#settled && pool.startedUp) {
        this.orphans.drain(pool.version.spec.timeouts.stopMs, (orphan) => orphan.pool === name);
      }
    }
    this.orphans.turn(now);
    this.#saveState();
    if (this.#finished) return;
    const over = this.pools.size === 0 && (this.#sparing || this.orphans.gone);
    if (this.#stopping !== null && over) this.#finish();
    else this.#sleep(now);
  }

  #sleep(now: number): void {
    clearTimeout(this.#timer);
    const deadline = Math.min(
      this.orphans.deadline(now),
      ...[...this.pools.values()].map((pool) => pool.deadline(now)),
    );
    if (deadline === Number.POSITIVE_INFINITY) return;
    const delay = Math.min(LONGEST_SLEEP_MS, Math.max(0, Math.ceil(deadline - this.clock.monotonic())));
    this.#timer = setTimeout(() => this.enqueue(() => {}), delay);
  }

  /** Front to back: the HTTP listeners first, then the pools behind them, so that what is accepted is still answered. */
  #stopPools(now: number): void {
    if (this.#stopping === null) return;
    const { fast, deadline } = this.#stopping;
    const graceMs = Math.max(0, deadline - now);
    for (const [name, pool] of this.pools) {
      if (fast || !this.pools.has(`${name}/http`)) pool.stop({ kind: "supervisor-stop", fast }, graceMs);
    }
    if (this.#sparing) return;
    if (fast) this.orphans.killAll();
    else this.orphans.drainAll(graceMs);
  }

  /** Whether somebody else goes on serving at an address of ours, whose socket file must then stay. */
  #isShared(address: string): boolean {
    return this.#shared.has(address) || (this.#sparing && this.orphans.holders().has(address));
  }

  #removePool(name: string, pool: Pool): void {
    pool.close();
    this.pools.delete(name);
    // Others may have waited for it: the pool behind an HTTP listener stops after that.
    this.enqueue(() => {});
  }

  #finish(): void {
    this.#finished = true;
    clearTimeout(this.#timer);
    if (this.#heir === null) this.emit({ type: "supervisor-stopped", pid: process.pid });
    this.#stopped.resolve();
  }

  #saveState(): void {
    const state: SavedState = {
      version: 1,
      supervisor: { pid: process.pid, startTime: startTimeOf(process.pid) ?? null },
      pools: [...this.pools.values()].map((pool) => pool.save()),
      orphans: this.orphans.save(),
    };
    const text = JSON.stringify(state);
    if (text === this.#savedState) return;
    try {
      this.runDir.writeState(state);
      this.#savedState = text;
    } catch (error) {
      this.emit({ type: "warning", text: `Cannot write the state to ${this.runDir.path}: ${codeOf(error)}` });
    }
  }

  /** What befalls our workers; that our pools end is no news, theirs go on. With the end of a worker goes what it has counted. */
  #tellHeir(heir: Heir, event: GwpmEvent): void {
    if (!event.type.startsWith("worker-")) return;
    heir.event(event);
    const pool = event.type === "worker-exited" ? this.pools.get(event.pool) : undefined;
    if (pool !== undefined) heir.totals(pool.name, totalsOf(pool));
  }

  /** What a supervisor that was killed, or one that was about to take over from it, has left. */
  #findOrphans(): void {
    this.orphans.adopt(this.runDir.readState());
    this.orphans.adopt(this.runDir.readCandidate());
    this.#saveState();
    this.runDir.forgetCandidate();
    this.runDir.sweep(this.orphans.files());
  }

  #handedOver(pool: string): HandedPool | undefined {
    return this.#upgrade?.pools.find(({ name }) => name === pool);
  }

  #releaseEvents(): void {
    const held = this.#held ?? [];
    this.#held = null;
    for (const event of held) this.record(event);
  }

  #inheritedBy(pool: string): Inherited[] {
    const kept = new Set(poolsOf(this.config).map(({ spec }) => spec.name));
    // A pool that got another name keeps its address.
    const leaving = this.#upgrade?.pools.filter(({ name }) => !kept.has(name)) ?? [];
    const own = this.#handedOver(pool)?.listeners ?? [];
    return [...own, ...leaving.flatMap(({ listeners }) => listeners)].map((one) => ({
      ...one,
      address: parseAddress(one.address),
    }));
  }
}

/** `Promise.withResolvers`, which Node 20 does not have. */
function withResolvers(): { promise: Promise<void>; resolve: () => void } {
  let resolve = (): void => {};
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
