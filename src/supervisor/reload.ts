/**
 * Reload and restart of a running supervisor: reads the configuration anew, opens what it needs before anything is
 * touched, then rolls pools, starts those added and stops those removed. One at a time, in turn with upgrades.
 */

import { fingerprint } from "../config/diff.ts";
import { formatIssue } from "../config/format-issue.ts";
import { ConfigError, type EffectiveConfig, type ListenSpec } from "../config/types.ts";
import type { ReloadVerdict } from "../control/messages.ts";
import { OperationError } from "../control/target.ts";
import { formatAddress } from "../core/address.ts";
import { adjustListener } from "../system/sockets.ts";
import type { Version } from "./crew.ts";
import {
  abandonListeners,
  type Listener,
  NO_SOURCES,
  openHttpListener,
  openListeners,
  socketOptions,
} from "./listeners.ts";
import type { Pool } from "./pool.ts";
import { type PoolPlan, poolsOf, versionOf } from "./pool-plan.ts";
import type { Supervisor } from "./supervisor.ts";
import type { Turns } from "./turns.ts";

type PoolVerdict = ReloadVerdict["pools"][number];
type NewVersion = Omit<Version, "generation">;

interface Change {
  readonly plan: PoolPlan;
  readonly version: NewVersion;
  /** Undefined where the pool is new. */
  readonly pool: Pool | undefined;
}

/** What a change of files asks for. */
export interface ReloadOrder {
  readonly by: string;
  /** Whether the configuration is read again: it was among the files. */
  readonly readsConfig: boolean;
}

export class Reloader {
  readonly #supervisor: Supervisor;
  readonly #loadConfig: () => Promise<EffectiveConfig>;
  readonly #turns: Turns;

  /** @param loadConfig reads the configuration as it is now; throws ConfigError */
  constructor(supervisor: Supervisor, loadConfig: () => Promise<EffectiveConfig>, turns: Turns) {
    this.#supervisor = supervisor;
    this.#turns = turns;
    this.#loadConfig = loadConfig;
  }

  /**
   * @param only the pools to roll; all where it is left out. Added and removed pools come and go in any case
   * @throws OperationError; the running configuration then goes on untouched
   */
  reload(by: string, only?: readonly string[], changed = false, accepted = () => {}): Promise<ReloadVerdict> {
    return this.#inTurn(() => this.#reload(by, only, changed, accepted));
  }

  /** Rolls pools to the configuration that they have. */
  restart(by: string, only?: readonly string[]): Promise<ReloadVerdict> {
    return this.#inTurn(() => this.#restart(by, only));
  }

  /**
   * Rolls a pool because its files have changed. Resolves when that is done or was rolled back.
   *
   * @param begin called when its turn has come, so that what changes while it waits is part of it; `null` calls it off
   * @throws OperationError
   */
  follow(pool: string, begin: () => ReloadOrder | null): Promise<void> {
    return this.#inTurn(async () => {
      const order = begin();
      if (order?.readsConfig === true) await this.#reload(order.by, [pool], false, () => {});
      else if (order !== null) await this.#restart(order.by, [pool]);
    });
  }

  /** Rolls a pool to the configuration that it had before. @throws OperationError where there is none, or it is drained */
  rollback(pool: Pool, by: string): Promise<ReloadVerdict> {
    return this.#inTurn(async () => {
      const spec = pool.specBefore;
      if (spec === null || pool.drained) {
        const why = spec === null ? "it has not been reloaded since the supervisor started" : "it is drained";
        throw new OperationError("GWPM_NO_ROLLBACK", `Cannot roll pool "${pool.name}" back: ${why}`);
      }
      const opened: Listener[] = [];
      try {
        const plan: PoolPlan = { spec, httpOf: null };
        const version = versionOf(plan, await this.#listenersOf(plan, pool, opened, []), null);
        return { pools: [await (await this.#supervisor.run(() => [roll(pool, version, by)]))[0]!] };
      } catch (error) {
        abandonListeners(opened);
        throw error;
      }
    });
  }

  /** Opens the sockets of a drained pool, and of its HTTP listener, and lets them take work again. */
  resume(pool: Pool): Promise<void> {
    return this.#inTurn(async () => {
      const { pools } = this.#supervisor;
      if (!pool.drained) return;
      const listeners = await openListeners(pool.version.spec.listen, NO_SOURCES);
      await this.#supervisor.run(() => pool.resume(listeners));
      const http = pools.get(`${pool.name}/http`);
      const spec = http?.version.spec.listen[0];
      if (http === undefined || spec === undefined) return;
      const httpListeners = await openHttpListener(spec, NO_SOURCES);
      await this.#supervisor.run(() => http.resume(httpListeners));
    });
  }

  async #reload(
    by: string,
    only: readonly string[] | undefined,
    changed: boolean,
    accepted: () => void,
  ): Promise<ReloadVerdict> {
    const config = await this.#readConfig();
    this.#requireKnown(config, only);
    const changes = await this.#prepare(config, (plan, pool) => {
      const named = only === undefined || only.includes(plan.httpOf?.name ?? plan.spec.name);
      return named && (!(changed || plan.httpOf !== null) || differs(plan, pool));
    });
    const verdicts = await this.#supervisor.run(() => {
      accepted();
      return this.#apply(config, changes, by);
    });
    return { pools: (await Promise.all(verdicts)).filter(isTold) };
  }

  async #restart(by: string, only: readonly string[] | undefined): Promise<ReloadVerdict> {
    const names = only ?? [...this.#supervisor.pools.keys()].filter((name) => !name.includes("/"));
    const pools = names.map((name) => this.#supervisor.pool(name)).filter((pool) => !pool.drained);
    const verdicts = await this.#supervisor.run(() => pools.map((pool) => roll(pool, pool.version, by)));
    return { pools: await Promise.all(verdicts) };
  }

  #inTurn<T>(operation: () => Promise<T>): Promise<T> {
    return this.#turns.run(() => {
      this.#supervisor.assertInCharge();
      return operation();
    });
  }

  async #readConfig(): Promise<EffectiveConfig> {
    try {
      return await this.#loadConfig();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const errors = error.issues.map((issue) => formatIssue(error.file, issue));
      this.#supervisor.emit({ type: "config-rejected", errors });
      throw new OperationError("GWPM_BAD_CONFIG", `${error.message}; the running configuration goes on`, {
        status: 422,
        exitCode: 78,
        errors,
        cause: error,
      });
    }
  }

  #requireKnown(config: EffectiveConfig, only: readonly string[] | undefined): void {
    // One that runs and is no longer configured is known: it goes.
    const isKnown = (name: string) =>
      config.pools.some((pool) => pool.name === name) || this.#supervisor.pools.has(name);
    const unknown = only?.find((name) => !isKnown(name));
    if (unknown === undefined) return;
    const names = config.pools.map((pool) => pool.name).join(", ");
    throw new OperationError("GWPM_NO_SUCH_POOL", `there is no pool "${unknown}"; the pools are ${names}`, {
      status: 404,
    });
  }

  /** Opens every socket that the changes need; all or none. */
  async #prepare(config: EffectiveConfig, rolls: (plan: PoolPlan, pool: Pool) => boolean): Promise<Change[]> {
    const changes: Change[] = [];
    const opened: Listener[] = [];
    try {
      for (const plan of poolsOf(config)) {
        const pool = this.#supervisor.pools.get(plan.spec.name);
        if (pool !== undefined && (pool.drained || !rolls(plan, pool))) continue;
        const listeners = await this.#listenersOf(plan, pool, opened, this.#leaving(config));
        changes.push({ plan, pool, version: versionOf(plan, listeners, this.#upstreamOf(plan, changes)) });
      }
      return changes;
    } catch (error) {
      abandonListeners(opened);
      const message = error instanceof Error ? error.message : String(error);
      throw new OperationError("GWPM_LISTEN_FAILED", `${message}; the running configuration goes on`, {
        cause: error,
      });
    }
  }

  /** The pools that the configuration no longer has. */
  #leaving(config: EffectiveConfig): Pool[] {
    const wanted = new Set(poolsOf(config).map(({ spec }) => spec.name));
    return [...this.#supervisor.pools.values()].filter((pool) => !wanted.has(pool.name) && !pool.stopping);
  }

  /** @param leaving pools whose sockets may be taken over: a pool that got another name keeps its address */
  async #listenersOf(
    plan: PoolPlan,
    pool: Pool | undefined,
    opened: Listener[],
    leaving: readonly Pool[],
  ): Promise<Listener[]> {
    const listeners: Listener[] = [];
    for (const [index, spec] of plan.spec.listen.entries()) {
      const key = formatAddress(spec.address);
      const own = pool?.version.listeners.find((listener) => listener.key === key);
      const kept =
        own ?? leaving.flatMap(({ version }) => version.listeners).find((listener) => listener.key === key);
      if (kept === undefined) {
        const openOne =
          plan.httpOf === null ? openListeners([spec], NO_SOURCES) : openHttpListener(spec, NO_SOURCES);
        const fresh = await openOne;
        opened.push(...fresh);
        listeners.push(...fresh);
      } else {
        this.#adjust(kept, own === undefined ? undefined : pool!.version.spec.listen[index], spec);
        listeners.push(kept);
      }
    }
    return listeners;
  }

  /** A changed backlog, mode or owner takes effect on the open socket. */
  #adjust(listener: Listener, before: ListenSpec | undefined, after: ListenSpec): void {
    if (JSON.stringify(before) === JSON.stringify(after)) return;
    adjustListener(listener.fd, listener.address, socketOptions(after));
  }

  #upstreamOf(plan: PoolPlan, changes: readonly Change[]): Listener["address"] | null {
    const name = plan.httpOf?.name;
    if (name === undefined) return null;
    const changing = changes.find((change) => change.plan.spec.name === name);
    const version = changing?.version ?? this.#supervisor.pools.get(name)?.version;
    return version?.listeners[0]?.address ?? null;
  }

  /** Within a turn. */
  #apply(config: EffectiveConfig, changes: readonly Change[], by: string): Promise<PoolVerdict>[] {
    const supervisor = this.#supervisor;
    this.#warnOfFixed(config);
    const { runDir, controlSocket, pidFile } = supervisor.config;
    supervisor.config = { ...config, runDir, controlSocket, pidFile };
    const removed = this.#leaving(config);
    const inherited = new Set(changes.flatMap(({ version }) => version.listeners.map(({ fd }) => fd)));
    for (const pool of removed) pool.giveAway(inherited);
    for (const pool of removed) pool.stop({ kind: "pool-removed" }, pool.version.spec.timeouts.stopMs);
    const verdicts = changes.map(({ plan, pool, version }) =>
      pool === undefined ? this.#add(plan, version) : roll(pool, version, by),
    );
    const gone = removed.map((pool) => Promise.resolve(verdictOf(pool, "removed", null)));
    const touched = new Set([
      ...changes.map(({ plan }) => plan.spec.name),
      ...removed.map(({ name }) => name),
    ]);
    const same = [...supervisor.pools.values()].filter(({ name }) => !touched.has(name));
    const unchanged = same.map((pool) => Promise.resolve(verdictOf(pool, "unchanged", null)));
    return [...verdicts, ...gone, ...unchanged];
  }

  /** A new pool that cannot start is taken out again: the configuration before it goes on. */
  async #add(plan: PoolPlan, version: NewVersion): Promise<PoolVerdict> {
    const { clock } = this.#supervisor;
    const from = clock.monotonic();
    const pool = this.#supervisor.addPool(plan, version);
    try {
      await pool.started(1);
      return { ...verdictOf(pool, "added", null), tookMs: Math.round(clock.monotonic() - from) };
    } catch (error) {
      const { message, errors } = error as OperationError;
      await this.#supervisor.run(() =>
        pool.stop({ kind: "pool-removed" }, pool.version.spec.timeouts.stopMs),
      );
      return { ...verdictOf(pool, "rolled-back", message), output: errors };
    }
  }

  #warnOfFixed(config: EffectiveConfig): void {
    for (const key of ["runDir", "controlSocket", "pidFile"] as const) {
      if (config[key] === this.#supervisor.config[key]) continue;
      const text = `${key} cannot change while the supervisor runs; it stays ${this.#supervisor.config[key]} until the next start`;
      this.#supervisor.emit({ type: "warning", text });
    }
  }
}

async function roll(pool: Pool, version: NewVersion, by: string): Promise<PoolVerdict> {
  return { name: pool.name, ...(await pool.roll(version, by)) };
}

/** The built-in HTTP listeners are told of only where they failed. */
function isTold({ name, result }: PoolVerdict): boolean {
  return !name.includes("/") || result === "rolled-back";
}

function verdictOf(pool: Pool, result: PoolVerdict["result"], reason: string | null): PoolVerdict {
  return { name: pool.name, generation: pool.version.generation, result, reason, output: [], tookMs: 0 };
}

function differs(plan: PoolPlan, pool: Pool): boolean {
  return fingerprint(plan.spec) !== fingerprint(pool.version.spec);
}
