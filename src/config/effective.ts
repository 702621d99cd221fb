/** Turns values that were all right into the configuration that the supervisor uses. */

import { dirname } from "node:path";
import type { ListenDraft } from "./listen.ts";
import type { Locations } from "./locations.ts";
import type { Values } from "./option.ts";
import type { PoolDraft } from "./pool.ts";
import type { Draft } from "./read.ts";
import type { LISTEN_OPTIONS, POOL_OPTIONS, SUPERVISOR_OPTIONS, WATCH_OPTIONS } from "./table.ts";
import type { EffectiveConfig, EffectivePool, ListenSpec, WatchPath, WatchSpec } from "./types.ts";
import type { WatchDraft } from "./watch.ts";

/** A draft in which nothing is missing: true once reading has reported no issue, which the compiler cannot know. */
function complete<V extends object>(draft: Partial<V>): V {
  return draft as V;
}

export function effectiveConfig(
  draft: Draft<typeof SUPERVISOR_OPTIONS>,
  locations: Locations,
  context: { configFile: string | null; cpus: () => number },
): EffectiveConfig {
  const values = complete<Values<typeof SUPERVISOR_OPTIONS>>(draft);
  const file = values["log.file"] ?? null;
  return {
    configFile: context.configFile,
    ...locations,
    log: {
      level: values["log.level"],
      file,
      format: values["log.format"] ?? (file === null ? "pretty" : "json"),
    },
    stopTimeoutMs: values.stopTimeout,
    daemonize: values.daemonize,
    pools: values.pools.map((pool) => effectivePool(pool, context.cpus)),
  };
}

function effectivePool({ values: draft, env }: PoolDraft, cpus: () => number): EffectivePool {
  const values = complete<Values<typeof POOL_OPTIONS>>(draft);
  return {
    name: values.name,
    program: { runtime: "script", file: values.script!, args: values.args, nodeArgs: values.nodeArgs },
    cwd: values.cwd,
    protocol: values.protocol,
    listen: values.listen.map(listenSpec),
    http: values.http,
    sizing: values.workers ?? { mode: "static", count: cpus() },
    concurrency: values.concurrency,
    timeouts: {
      startMs: values["timeouts.start"],
      stopMs: values["timeouts.stop"],
      idleConnectionMs: values["timeouts.idleConnection"],
    },
    reload: { batch: values["reload.batch"] },
    recycle: {
      maxRequests: values["recycle.maxRequests"],
      maxLifetimeMs: values["recycle.maxLifetime"],
      maxMemory: values["recycle.maxMemory"],
      maxMemoryHard: values["recycle.maxMemoryHard"],
      maxIdleMs: values["recycle.maxIdle"],
      jitter: values["recycle.jitter"],
    },
    watch: values.watch === null ? null : watchSpec(values.watch, values.cwd, values.script!),
    env,
    clearEnv: values.clearEnv,
    stopSignal: values.stopSignal,
    logs: { maxLineBytes: values["logs.maxLine"] },
    restart: {
      minMs: values["restart.backoff.min"],
      maxMs: values["restart.backoff.max"],
      degradedAfter: values["restart.degradedAfter"],
      windowMs: values["restart.window"],
    },
    wire: {
      maxParams: values["wire.maxParams"],
      maxRequestsPerConnection: values["wire.maxRequestsPerConnection"],
      multiplex: values["wire.multiplex"],
      basePath: values["wire.basePath"],
      scgiAbortOnFin: values["wire.scgiAbortOnFin"],
    },
  };
}

function watchSpec(draft: WatchDraft, cwd: string, script: string): WatchSpec {
  const { paths, ignore, debounce } = complete<Values<typeof WATCH_OPTIONS>>(draft);
  return { paths: paths ?? ownFolders(cwd, script), ignore, debounceMs: debounce };
}

/** Where a pool's code is likely to lie. */
function ownFolders(cwd: string, script: string): WatchPath[] {
  const folder = dirname(script);
  const elsewhere = folder !== cwd && !folder.startsWith(cwd === "/" ? "/" : `${cwd}/`);
  return (elsewhere ? [cwd, folder] : [cwd]).map((base) => ({ base, glob: null }));
}

function listenSpec({ values: draft }: ListenDraft): ListenSpec {
  const { address, backlog, mode, owner, group } = complete<Values<typeof LISTEN_OPTIONS>>(draft);
  return { address, backlog, mode, owner: owner ?? null, group: group ?? null };
}
