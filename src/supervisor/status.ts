/** The status document of SPEC §4, from the supervisor as it is. */

import * as fs from "node:fs";
import type {
  PoolState,
  PoolStatus,
  ProcessState,
  ProcessStatus,
  StatusDocument,
} from "../control/messages.ts";
import { formatAddress } from "../core/address.ts";
import { percentile } from "../core/histogram.ts";
import { Rate } from "../observe/rate.ts";
import type { ScoreboardSnapshot } from "../observe/scoreboard.ts";
import { type Usage, usageOf } from "../observe/usage.ts";
import type { Orphan } from "./orphans.ts";
import type { Pool } from "./pool.ts";
import { httpUrl } from "./pool-plan.ts";
import type { WorkerProcess } from "./process.ts";
import type { Supervisor } from "./supervisor.ts";
import { totalsOf } from "./totals.ts";

const SAMPLE_EVERY_MS = 1_000;

interface Seen {
  readonly worker: WorkerProcess;
  readonly board: ScoreboardSnapshot | null;
}

export class StatusReporter {
  readonly #supervisor: Supervisor;
  readonly #rates = new Map<string, Rate>();
  readonly #sampler: NodeJS.Timeout;

  constructor(supervisor: Supervisor) {
    this.#supervisor = supervisor;
    this.#sampler = setInterval(() => this.#sample(), SAMPLE_EVERY_MS);
    this.#sampler.unref();
  }

  close(): void {
    clearInterval(this.#sampler);
  }

  async document(): Promise<StatusDocument> {
    const supervisor = this.#supervisor;
    const pools = [...supervisor.pools.values()].filter(({ name }) => !name.includes("/"));
    const orphans = supervisor.orphans.all;
    const workerPids = pools
      .flatMap((pool) => [...pool.crew.workers].map(({ pid }) => pid))
      .filter((pid) => pid !== 0);
    const usage = await usageOf([process.pid, ...workerPids, ...orphans.map(({ saved }) => saved.pid)]);
    return {
      schemaVersion: 1,
      supervisor: {
        pid: process.pid,
        version: supervisor.version,
        uptimeMs: supervisor.clock.now() - supervisor.startedAt,
        configFile: supervisor.config.configFile,
        state: supervisor.stopping
          ? "stopping"
          : pools.every((pool) => pool.startedUp)
            ? "running"
            : "starting",
        ...(usage.get(process.pid) ?? { rssBytes: null, cpuPercent: null }),
      },
      pools: pools.map((pool) =>
        this.#pool(
          pool,
          orphans.filter((orphan) => orphan.pool === pool.name),
          usage,
        ),
      ),
    };
  }

  #sample(): void {
    const now = this.#supervisor.clock.monotonic();
    for (const [name, pool] of this.#supervisor.pools) {
      const rate = this.#rates.get(name) ?? new Rate();
      rate.sample(totalsOf(pool).requests, now);
      this.#rates.set(name, rate);
    }
  }

  #pool(pool: Pool, orphans: readonly Orphan[], usage: ReadonlyMap<number, Usage>): PoolStatus {
    const { spec, generation, listeners } = pool.version;
    const seen = look(pool);
    const http = this.#supervisor.pools.get(`${pool.name}/http`)?.version.listeners[0];
    const state = stateOf(pool);
    const troubled = state === "degraded" || (state === "starting" && pool.crew.lastFailure !== null);
    const nextTryAt = pool.nextTryAt;
    return {
      name: pool.name,
      protocol: spec.protocol,
      runtime: spec.program.runtime,
      listen: listeners.map(({ address }) => formatAddress(address)),
      http: http === undefined ? null : httpUrl(http.address),
      mode: spec.sizing.mode,
      state,
      reason: troubled ? pool.troubles : waitingFor(pool),
      nextTryAt: nextTryAt === null ? null : new Date(nextTryAt).toISOString(),
      generation,
      probe: null,
      workers: countWorkers(pool, seen, orphans),
      requests: this.#requests(pool, seen),
      queue: { length: null, max: null, limit: queueLimit(spec.listen[0]?.backlog) },
      restarts: restartsOf(pool),
      lastReload: pool.lastReload === null ? null : { ...pool.lastReload, at: iso(pool.lastReload.at) },
      processes: [
        ...seen.map((one) => this.#process(pool, one, usage)),
        ...vacantSlots(pool),
        ...orphans.map((orphan) => orphanProcess(orphan, usage)),
      ].sort((a, b) => a.slot - b.slot || a.generation - b.generation),
    };
  }

  #requests(pool: Pool, seen: readonly Seen[]): PoolStatus["requests"] {
    const { requests, failed, latency } = totalsOf(pool);
    return {
      total: requests,
      active: seen.reduce((total, { board }) => total + (board?.active ?? 0), 0),
      perSecond: this.#rates.get(pool.name)?.perSecond ?? null,
      failed,
      slow: null,
      timedOut: null,
      latencyMs: {
        p50: percentile(latency, 0.5),
        p95: percentile(latency, 0.95),
        p99: percentile(latency, 0.99),
        max: percentile(latency, 1),
      },
    };
  }

  #process(pool: Pool, { worker, board }: Seen, usage: ReadonlyMap<number, Usage>): ProcessStatus {
    return {
      slot: worker.slot,
      pid: worker.pid === 0 ? null : worker.pid,
      generation: worker.generation,
      state: processState(worker, board),
      uptimeMs: this.#supervisor.clock.now() - worker.startedAt,
      requests: board?.requests ?? null,
      active: board?.active ?? null,
      ...(usage.get(worker.pid) ?? { rssBytes: null, cpuPercent: null }),
      eventLoopUtilization: board?.eventLoopUtilization ?? null,
      current: board?.current ?? [],
      lastExit: lastExit(pool, worker.slot),
    };
  }
}

function look(pool: Pool): Seen[] {
  return [...pool.crew.workers].map((worker) => ({ worker, board: worker.board() }));
}

function stateOf(pool: Pool): PoolState {
  if (pool.gone) return "stopped";
  if (pool.drained && pool.crew.size === 0) return "stopped";
  if (pool.stopping || pool.drained) return "draining";
  if (pool.degraded) return "degraded";
  if (pool.reloading) return "reloading";
  return pool.startedUp ? "ok" : "starting";
}

/** Why a pool that is well does not do what one might expect: recycling may wait for successors that would start. */
function waitingFor(pool: Pool): string | null {
  if (pool.drained) return "it is drained; `gwpm resume` lets it take work again";
  const waiting = pool.holding && [...pool.crew.workers].some((worker) => worker.replace !== null);
  return waiting
    ? `recycling waits for a reload that succeeds; the last one failed: ${pool.lastReload?.reason}`
    : null;
}

function processState(worker: WorkerProcess, board: ScoreboardSnapshot | null): ProcessState {
  const { kind } = worker.state;
  if (kind === "gone") return "stopped";
  return kind === "ready" && board !== null && board.active > 0 ? "busy" : kind;
}

function countWorkers(pool: Pool, seen: readonly Seen[], orphans: readonly Orphan[]): PoolStatus["workers"] {
  const current = seen.filter(({ worker }) => worker.generation === pool.version.generation);
  const ready = current.filter(({ worker }) => worker.state.kind === "ready");
  const busy = ready.filter(({ board }) => board !== null && board.active > 0).length;
  const inState = (...kinds: string[]) =>
    seen.filter(({ worker }) => kinds.includes(worker.state.kind)).length;
  return {
    wanted: pool.wanted,
    total: seen.filter(({ worker }) => worker.pid !== 0).length + orphans.length,
    ready: ready.length,
    idle: ready.length - busy,
    busy,
    starting: inState("starting"),
    draining: inState("draining", "killing") + orphans.length,
    min: pool.wanted,
    max: pool.wanted,
  };
}

function restartsOf(pool: Pool): PoolStatus["restarts"] {
  const { crashed, recycled, reloaded } = pool.crew.tally.totals([]);
  return { total: crashed + recycled + reloaded, crashed, recycled, reloaded };
}

/** Slots that should have a worker and have none: it is being waited with. */
function vacantSlots(pool: Pool): ProcessStatus[] {
  if (pool.stopping || pool.drained) return [];
  const taken = new Set([...pool.crew.workers].map(({ slot }) => slot));
  const rows: ProcessStatus[] = [];
  for (let slot = 0; slot < pool.wanted; slot++) {
    if (!taken.has(slot))
      rows.push(emptyProcess(slot, pool.version.generation, "backoff", lastExit(pool, slot)));
  }
  return rows;
}

function orphanProcess({ saved }: Orphan, usage: ReadonlyMap<number, Usage>): ProcessStatus {
  const { rssBytes, cpuPercent } = usage.get(saved.pid) ?? { rssBytes: null, cpuPercent: null };
  return {
    ...emptyProcess(saved.slot, saved.generation, "draining", null),
    pid: saved.pid,
    rssBytes,
    cpuPercent,
  };
}

function emptyProcess(
  slot: number,
  generation: number,
  state: ProcessState,
  exit: ProcessStatus["lastExit"],
): ProcessStatus {
  return {
    slot,
    pid: null,
    generation,
    state,
    uptimeMs: null,
    requests: null,
    active: null,
    rssBytes: null,
    cpuPercent: null,
    eventLoopUtilization: null,
    current: [],
    lastExit: exit,
  };
}

function lastExit(pool: Pool, slot: number): ProcessStatus["lastExit"] {
  const exit = pool.crew.lastExits.get(slot);
  return exit === undefined ? null : { ...exit, at: iso(exit.at) };
}

/** The kernel cuts every backlog to net.core.somaxconn (listen(2)). */
function queueLimit(backlog: number | undefined): number | null {
  if (backlog === undefined) return null;
  try {
    return Math.min(backlog, Number(fs.readFileSync("/proc/sys/net/core/somaxconn", "utf8")));
  } catch {
    return backlog;
  }
}

function iso(at: number): string {
  return new Date(at).toISOString();
}
