/** From the configuration to pools that can be started: their sockets, and the hidden pool behind each `http` key. */

import type { EffectiveConfig, EffectivePool, ListenSpec } from "../config/types.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { launchHttpGateway } from "../runtimes/http-gateway.ts";
import { launchScript } from "../runtimes/script.ts";
import type { Version } from "./crew.ts";
import {
  abandonListeners,
  type Listener,
  openHttpListener,
  openListeners,
  type Sources,
} from "./listeners.ts";

/** A pool as configured; the HTTP listener of a pool is one too, under the name `<pool>/http`. */
export interface PoolPlan {
  readonly spec: EffectivePool;
  /** The pool that this one is the HTTP listener of. */
  readonly httpOf: EffectivePool | null;
}

/** Enough for a listener that is there for trying things out, and it must not outlive its pool. */
const HTTP_BACKLOG = 511;

export function poolsOf(config: EffectiveConfig): PoolPlan[] {
  return config.pools.flatMap((spec) => {
    const pool: PoolPlan = { spec, httpOf: null };
    return spec.http === null ? [pool] : [pool, { spec: httpPoolOf(spec, spec.http), httpOf: spec }];
  });
}

export interface OpenedPool {
  readonly plan: PoolPlan;
  readonly version: Omit<Version, "generation">;
  abandon(): void;
}

/**
 * Opens the sockets of one pool.
 *
 * @param before the pools opened before it: an HTTP listener needs to know where its pool has come to listen
 * @throws ListenError
 */
export async function openPool(
  plan: PoolPlan,
  sources: Sources,
  before: readonly OpenedPool[],
): Promise<OpenedPool> {
  const { spec, httpOf } = plan;
  const listeners =
    httpOf === null
      ? await openListeners(spec.listen, sources)
      : await openHttpListener(spec.listen[0]!, sources);
  const behind = before.find((opened) => opened.plan.spec === httpOf);
  return {
    plan,
    version: versionOf(plan, listeners, behind?.version.listeners[0]?.address ?? null),
    abandon: () => abandonListeners(listeners),
  };
}

/** @param upstream where the pool behind an HTTP listener listens */
export function versionOf(
  plan: PoolPlan,
  listeners: readonly Listener[],
  upstream: Address | null,
): Omit<Version, "generation"> {
  const { spec, httpOf } = plan;
  if (httpOf === null || upstream === null)
    return { spec, listeners, launch: ({ program }) => launchScript(program) };
  return { spec, listeners, launch: () => launchHttpGateway(httpOf.name, httpOf.protocol, upstream) };
}

function httpPoolOf(pool: EffectivePool, address: Address): EffectivePool {
  const listen: ListenSpec = { address, backlog: HTTP_BACKLOG, mode: 0o660, owner: null, group: null };
  return {
    ...pool,
    name: `${pool.name}/http`,
    protocol: "http",
    listen: [listen],
    http: null,
    sizing: { mode: "static", count: 1 },
    recycle: {
      maxRequests: null,
      maxLifetimeMs: null,
      maxMemory: null,
      maxMemoryHard: null,
      maxIdleMs: null,
      jitter: 0,
    },
    cwd: process.cwd(),
    env: {},
    watch: null,
  };
}

/** `http://127.0.0.1:8080`, as people open it. */
export function httpUrl(address: Address): string {
  if (address.kind === "unix") return formatAddress(address);
  const wildcard = address.host === "0.0.0.0" || address.host === "::";
  const host = wildcard ? "localhost" : address.family === 6 ? `[${address.host}]` : address.host;
  return `http://${host}:${address.port}`;
}
