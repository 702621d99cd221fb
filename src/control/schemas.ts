/** The documents of `messages.ts` as JSON Schemas, for `/openapi.json`. The compiler holds the keys together, a test the values. */

import type { GwpmEvent } from "../core/events.ts";
import { nullable, object, type Schema } from "./json-schema.ts";
import type {
  LogLine,
  PoolStatus,
  Problem,
  ProcessStatus,
  ReloadVerdict,
  StatusDocument,
  StreamNotice,
  UpgradeVerdict,
} from "./messages.ts";

const text: Schema = { type: "string" };
const flag: Schema = { type: "boolean" };
const count: Schema = { type: "integer", minimum: 0 };
const figure: Schema = nullable({ type: "number", description: "null when it is not known" });
const time: Schema = { type: "string", format: "date-time" };
const lines: Schema = { type: "array", items: text };

const oneOf = (...values: readonly string[]): Schema => ({ type: "string", enum: values });
const ref = (name: string): Schema => ({ $ref: `#/components/schemas/${name}` });
const list = (items: Schema): Schema => ({ type: "array", items });

const supervisor = object<StatusDocument["supervisor"]>(
  {
    pid: count,
    version: text,
    uptimeMs: { type: "number" },
    configFile: nullable(text),
    state: oneOf("starting", "running", "stopping"),
    upgrade: { type: "string", description: "what an upgrade under way waits for" },
    rssBytes: figure,
    cpuPercent: figure,
  },
  { optional: ["upgrade"] },
);

const workers = object<PoolStatus["workers"]>({
  wanted: count,
  total: { ...count, description: "every live pid" },
  ready: { ...count, description: "idle + busy, of the current generation" },
  idle: figure,
  busy: figure,
  starting: count,
  draining: count,
  min: count,
  max: count,
});

const requests = object<PoolStatus["requests"]>({
  total: figure,
  active: figure,
  perSecond: figure,
  failed: figure,
  slow: figure,
  timedOut: figure,
  latencyMs: object<PoolStatus["requests"]["latencyMs"]>({
    p50: figure,
    p95: figure,
    p99: figure,
    max: figure,
  }),
});

const pool = object<PoolStatus>({
  name: text,
  protocol: oneOf("fastcgi", "scgi", "http"),
  runtime: oneOf("script", "command", "cgi", "wsgi", "asgi"),
  listen: lines,
  http: nullable(text),
  mode: oneOf("static", "dynamic", "ondemand"),
  state: oneOf("ok", "starting", "reloading", "draining", "degraded", "stopped"),
  reason: nullable({ type: "string", description: "why the pool is not ok" }),
  nextTryAt: nullable(time),
  generation: count,
  probe: nullable(
    object<NonNullable<PoolStatus["probe"]>>({ ok: flag, lastAt: nullable(time), lastError: nullable(text) }),
  ),
  workers,
  requests,
  queue: object<PoolStatus["queue"]>({ length: figure, max: figure, limit: figure }),
  restarts: object<PoolStatus["restarts"]>({
    total: count,
    crashed: count,
    recycled: count,
    reloaded: count,
  }),
  lastReload: nullable(
    object<NonNullable<PoolStatus["lastReload"]>>({
      generation: count,
      result: oneOf("ok", "rolled-back"),
      reason: nullable(text),
      at: time,
    }),
  ),
  processes: list(ref("Process")),
});

const process = object<ProcessStatus>({
  slot: count,
  pid: nullable(count),
  generation: count,
  state: oneOf("starting", "ready", "busy", "draining", "killing", "backoff", "stopped"),
  uptimeMs: figure,
  requests: figure,
  active: figure,
  rssBytes: figure,
  cpuPercent: figure,
  eventLoopUtilization: figure,
  current: list(
    object<ProcessStatus["current"][number]>({ method: text, uri: text, elapsedMs: { type: "number" } }),
  ),
  lastExit: nullable(
    object<NonNullable<ProcessStatus["lastExit"]>>({
      code: figure,
      signal: nullable(text),
      cause: text,
      at: time,
    }),
  ),
});

/** What each type of event reports; a new type does not compile until it is told here. */
const EVENT_TYPES: { readonly [T in GwpmEvent["type"]]: string } = {
  "supervisor-started": "the daemon runs",
  "supervisor-stopping": "the daemon was asked to stop",
  "supervisor-stopped": "the daemon is done",
  "supervisor-upgrading": "a new daemon is started, to take over",
  "supervisor-upgraded": "the new daemon has taken over",
  "supervisor-upgrade-failed": "the new daemon could not; the old one goes on",
  "config-rejected": "a reload found errors in the configuration",
  warning: "something that wants attention",
  "pool-started": "a pool's sockets are open and its workers are being started",
  "pool-ready": "all wanted workers are ready",
  "pool-degraded": "the pool's workers keep failing; they are retried slowly",
  "pool-recovered": "a degraded pool is well again",
  "pool-scaled": "the wanted number of workers changed",
  "pool-drained": "no worker is left of a pool that was told to drain",
  "pool-resumed": "a drained pool takes work again",
  "pool-stopped": "the pool's last worker is gone",
  "listener-opened": "a listening socket was bound or taken over",
  "listener-closed": "a listening socket was closed",
  "reload-started": "a new generation is being started",
  "reload-finished": "a reload ended, well or rolled back",
  "worker-starting": "a worker process was started",
  "worker-ready": "a worker said that it is ready",
  "worker-draining": "a worker was asked to finish",
  "worker-killing": "a worker did not finish in time and is being killed",
  "worker-exited": "a worker process ended",
  "worker-backoff": "a slot waits before its next start",
  "orphan-found": "a worker of a supervisor that died was recognised",
  "orphan-gone": "such a worker ended",
};

const event: Schema = {
  type: "object",
  description: `One event; the other fields depend on its type. ${Object.entries(EVENT_TYPES)
    .map(([type, meaning]) => `${type}: ${meaning}`)
    .join("; ")}.`,
  properties: {
    seq: { ...count, description: "goes up by one with each event, also across restarts of the supervisor" },
    at: { type: "number", description: "milliseconds since the epoch" },
    type: oneOf(...Object.keys(EVENT_TYPES)),
    pool: text,
    slot: count,
    pid: count,
    generation: count,
  },
  required: ["seq", "at", "type"],
};

const version = object<UpgradeVerdict["from"]>({ pid: count, version: text });

const verdict = object<ReloadVerdict["pools"][number]>({
  name: text,
  generation: count,
  result: oneOf("ok", "rolled-back", "added", "removed", "unchanged"),
  reason: nullable(text),
  output: { ...lines, description: "the failing worker's last lines" },
  tookMs: { type: "number" },
});

/** `components.schemas` of the API's description. */
export const SCHEMAS = {
  Status: object<StatusDocument>({ schemaVersion: { const: 1 }, supervisor, pools: list(ref("Pool")) }),
  Pool: pool,
  Process: process,
  Event: event,
  LogLine: object<LogLine>(
    {
      at: time,
      pool: text,
      slot: count,
      pid: count,
      stream: oneOf("stdout", "stderr"),
      line: text,
      truncated: flag,
    },
    { optional: ["truncated"] },
  ),
  StreamNotice: object<StreamNotice>(
    { gwpm: { const: "dropped" }, detail: text },
    { description: "the last line of a followed stream whose reader was too slow" },
  ),
  ReloadVerdict: object<ReloadVerdict>({ pools: list(verdict) }),
  UpgradeVerdict: object<UpgradeVerdict>({ from: version, to: version, tookMs: { type: "number" } }),
  Problem: object<Problem>(
    {
      type: text,
      title: text,
      status: count,
      detail: text,
      code: { type: "string", description: "stable, such as GWPM_NO_SUCH_POOL" },
      exitCode: { ...count, description: "what the command line ends with" },
      errors: lines,
    },
    { description: "RFC 9457", optional: ["errors"] },
  ),
} satisfies Record<string, Schema>;

/** A reference to one of {@link SCHEMAS}. */
export function schemaRef(name: keyof typeof SCHEMAS): Schema {
  return ref(name);
}

/** Finds what a `$ref` made by {@link schemaRef} names. */
export function resolveSchema(reference: string): Schema {
  const name = reference.slice(reference.lastIndexOf("/") + 1);
  const schema = (SCHEMAS as Record<string, Schema>)[name];
  if (schema === undefined) throw new RangeError(`there is no schema ${reference}`);
  return schema;
}
