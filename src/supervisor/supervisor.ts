/**
 * The supervisor: one queue, one loop. Whatever happens (a signal, a worker's message or end, an operator's command, a
 * deadline) is put in the queue; a turn takes everything out, lets every pool look, plan and act, and then sleeps until the
 * earliest deadline. It owns the listening sockets and never touches a request.
 */

import * as fs from "node:fs";
import type { EffectiveConfig } from "../config/types.ts";
import type { LogLine } from "../control/messages.ts";
import { OperationError } from "../control/target.ts";
import { formatAddress } from "../core/address.ts";
import type { Clock } from "../core/clock.ts";
import type { GwpmEvent } from "../core/events.ts";
import type { Journal } from "../observe/journal.ts";
import { codeOf } from "../system/errno.ts";
import { startTimeOf } from "../system/procfs.ts";
import { LogLines } from "./log-lines.ts";
import { Orphans } from "./orphans.ts";
import { Pool } from "./pool.ts";
import type { NewEvent, PoolContext } from "./pool-context.ts";
import { httpUrl, type OpenedPool, openPool, type PoolPlan, poolsOf } from "./pool-plan.ts";
import type { RunDir, SavedState } from "./run-dir.ts";

/** Node's timers hold no more than 2^31-1 ms. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

export interface SupervisorOptions {
  readonly config: EffectiveConfig;
  readonly version: string;
  readonly runDir: RunDir;
  readonly journal: Journal;
  readonly clock: Clock;
  readonly random: () => number;
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
  #stopping: { fast: boolean; readonly by: string; readonly deadline: number } | null = null;
  readonly #stopped = withResolvers();

  constructor(options: SupervisorOptions) {
    this.config = options.config;
    this.version = options.version;
    this.runDir = options.runDir;
    this.journal = options.journal;
    this.clock = options.clock;
    this.startedAt = options.clock.now();
    this.#context = {
      clock: options.clock,
      random: options.random,
      runDir: options.runDir,
      emit: (event) => this.emit(event),
      logLine: (line) => this.#logLine(line),
      enqueue: (handle) => this.enqueue(handle),
    };
    const { configFile } = options.config;
    this.emit({ type: "supervisor-started", pid: process.pid, version: options.version, configFile });
    this.orphans = new Orphans(options.runDir.readState(), this.#context);
    this.runDir.sweep(this.orphans.files());
  }

  get stopping(): boolean {
    return this.#stopping !== null;
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
      for (const plan of poolsOf(this.config)) opened.push(await openPool(plan, holders, opened));
    } catch (error) {
      for (const { abandon } of opened) abandon();
      throw error;
    }
    this.#dismissOrphans(opened);
    this.enqueue(() => {
      for (const { plan, version } of opened) this.addPool(plan, version);
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

  /** Adds a pool whose sockets are open. Called within a turn. */
  addPool(plan: PoolPlan, version: Omit<Pool["version"], "generation">): Pool {
    const { name } = plan.spec;
    const generation = this.orphans.generationOf(name) + 1;
    const pool = new Pool({ ...version, generation }, this.#context);
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
    this.journal.append({ at: this.clock.now(), ...event } as GwpmEvent);
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
      this.emit({ type: "supervisor-stopping", by, fast });
      const deadline = this.#stopping?.deadline ?? this.clock.monotonic() + this.config.stopTimeoutMs;
      this.#stopping = { fast, by, deadline };
    });
    return this.stopped;
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
      else if (pool.startedUp) {
        this.orphans.drain(pool.version.spec.timeouts.stopMs, (orphan) => orphan.pool === name);
      }
    }
    this.orphans.turn(now);
    this.#saveState();
    if (this.#finished) return;
    if (this.#stopping !== null && this.pools.size === 0 && this.orphans.all.length === 0) this.#finish();
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
    if (fast) this.orphans.killAll();
    else this.orphans.drain(graceMs);
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
    this.emit({ type: "supervisor-stopped", pid: process.pid });
    this.#stopped.resolve();
  }

  #saveState(): void {
    const state: SavedState = {
      version: 1,
      supervisor: { pid: process.pid, startTime: startTimeOf(process.pid) ?? null },
      pools: [...this.pools.values()].map((pool) => pool.save()),
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

  #logLine(line: LogLine): void {
    this.lines.append(line);
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
