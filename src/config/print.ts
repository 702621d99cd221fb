/** Writes an effective configuration as a config file would: what `gwpm check --print` shows, and what reads back as the same. */

import { formatAddress } from "../core/address.ts";
import type { RecyclePolicy } from "../core/recycling.ts";
import { joinGlob } from "./glob.ts";
import type { Batch, EffectiveConfig, EffectivePool, ListenSpec, WatchSpec } from "./types.ts";
import { formatDuration, formatMode, formatSize } from "./units.ts";

/** @returns the object of an `ecosystem.json` in which every option that works is given */
export function toConfigObject(config: EffectiveConfig): Record<string, unknown> {
  return escapeExpressions({
    runDir: config.runDir,
    controlSocket: config.controlSocket,
    pidFile: config.pidFile,
    log: {
      level: config.log.level,
      ...(config.log.file === null ? {} : { file: config.log.file }),
      format: config.log.format,
    },
    stopTimeout: formatDuration(config.stopTimeoutMs),
    daemonize: config.daemonize,
    pools: config.pools.map(poolObject),
  }) as Record<string, unknown>;
}

function poolObject(pool: EffectivePool): Record<string, unknown> {
  const { timeouts, restart, wire } = pool;
  return {
    name: pool.name,
    script: pool.program.file,
    args: pool.program.args,
    nodeArgs: pool.program.nodeArgs,
    cwd: pool.cwd,
    protocol: pool.protocol,
    listen: pool.listen.map(listenObject),
    http: pool.http === null ? false : formatAddress(pool.http),
    workers: pool.sizing,
    concurrency: pool.concurrency,
    timeouts: {
      start: formatDuration(timeouts.startMs),
      stop: formatDuration(timeouts.stopMs),
      idleConnection: timeouts.idleConnectionMs === null ? false : formatDuration(timeouts.idleConnectionMs),
    },
    reload: { batch: batchValue(pool.reload.batch) },
    recycle: recycleObject(pool.recycle),
    watch: pool.watch === null ? false : watchObject(pool.watch),
    env: pool.env,
    clearEnv: pool.clearEnv,
    stopSignal: pool.stopSignal,
    logs: { maxLine: formatSize(pool.logs.maxLineBytes) },
    restart: {
      backoff: { min: formatDuration(restart.minMs), max: formatDuration(restart.maxMs) },
      degradedAfter: restart.degradedAfter,
      window: formatDuration(restart.windowMs),
    },
    wire: { ...wire, maxParams: formatSize(wire.maxParams) },
  };
}

function listenObject({ address, backlog, mode, owner, group }: ListenSpec): Record<string, unknown> {
  const socket = {
    mode: formatMode(mode),
    ...(owner === null ? {} : { owner }),
    ...(group === null ? {} : { group }),
  };
  return { address: formatAddress(address), backlog, ...(address.kind === "unix" ? socket : {}) };
}

function recycleObject(recycle: RecyclePolicy): Record<string, unknown> {
  const { maxRequests, maxLifetimeMs, maxMemory, maxMemoryHard, maxIdleMs, jitter } = recycle;
  const orFalse = <T>(value: T | null, format: (value: T) => unknown): unknown =>
    value === null ? false : format(value);
  return {
    maxRequests: maxRequests ?? false,
    maxLifetime: orFalse(maxLifetimeMs, formatDuration),
    maxMemory: orFalse(maxMemory, formatSize),
    maxMemoryHard: orFalse(maxMemoryHard, formatSize),
    maxIdle: orFalse(maxIdleMs, formatDuration),
    jitter,
  };
}

function watchObject({ paths, ignore, debounceMs }: WatchSpec): Record<string, unknown> {
  return {
    paths: paths.map(joinGlob),
    ignore: ignore.map((one) => (one.base === null ? one.glob : joinGlob(one))),
    debounce: formatDuration(debounceMs),
  };
}

function batchValue(batch: Batch): number | string {
  return batch.kind === "count" ? batch.count : `${batch.percent}%`;
}

/** What was expanded once must not be again. Keys are never expanded. */
function escapeExpressions(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll("${", () => "$${");
  if (Array.isArray(value)) return value.map(escapeExpressions);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, escapeExpressions(item)]));
}
