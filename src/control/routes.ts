/** The control API, route by route (SPEC §4): this table answers requests and is what `/openapi.json` is made of. */

import type { Schema } from "./json-schema.ts";
import { object } from "./json-schema.ts";
import type { Parameter, Query } from "./query.ts";
import { schemaRef } from "./schemas.ts";
import { type ControlTarget, OperationError } from "./target.ts";

/** A request that has been checked against its route. */
export interface ApiRequest {
  readonly target: ControlTarget;
  /** What stands in the path's braces, decoded. */
  readonly path: Readonly<Record<string, string>>;
  readonly query: Query;
  readonly body: Readonly<Record<string, unknown>>;
}

/** A JSON document, or lines of them. */
export type Answer =
  | { readonly kind: "document"; readonly status: number; readonly document: unknown }
  | { readonly kind: "lines"; readonly open: OpenLines; readonly follow: boolean };

/** Starts following before it returns what is past, so that nothing falls between. */
export type OpenLines = (follow: ((document: unknown) => void) | undefined) => {
  readonly past: readonly unknown[];
  readonly unfollow: () => void;
};

export interface Route {
  readonly method: "GET" | "POST";
  readonly path: string;
  readonly summary: string;
  readonly query: Readonly<Record<string, Parameter>>;
  /** Of the request; `null` where it has none. */
  readonly body: Schema | null;
  /** Of the answer, by status; each line of an NDJSON answer for itself. */
  readonly answers: Readonly<Record<number, { readonly says: string; readonly schema: Schema }>>;
  readonly lines: boolean;
  readonly handle: (request: ApiRequest) => Promise<Answer>;
}

type RouteOptions = Partial<Pick<Route, "query" | "body" | "lines" | "answers">>;

const NO_BODY: Schema = object<Record<never, never>>({}, { closed: true });

const FOLLOW: Parameter = { kind: "flag", description: "1 keeps the connection open and sends what comes" };
const LAST: Parameter = { kind: "count", description: "how many past lines at most" };

const poolNames: Schema = {
  type: "array",
  items: { type: "string", minLength: 1 },
  description: "a list of pool names; all pools when it is left out",
};

const boolean: Schema = { type: "boolean", description: "true or false" };

function route(
  method: "GET" | "POST",
  path: string,
  summary: string,
  handle: Route["handle"],
  options: RouteOptions = {},
): Route {
  const body = method === "POST" ? (options.body ?? NO_BODY) : null;
  return { method, path, summary, query: {}, answers: {}, lines: false, ...options, body, handle };
}

/** A route that the interface promises and that does not work yet: it says so. */
function notYet(method: "GET" | "POST", path: string, summary: string): Route {
  return {
    ...route(method, path, `${summary} (not implemented yet)`, async () => {
      throw new OperationError("GWPM_NOT_IMPLEMENTED", `${method} ${path} is not implemented yet`, {
        status: 501,
      });
    }),
    query: path === "/v1/why" ? { pool: POOL, slot: { kind: "count", description: "of one worker" } } : {},
  };
}

const document = (value: unknown, status = 200): Answer => ({ kind: "document", status, document: value });

const POOL: Parameter = { kind: "pool", description: "of one pool alone" };

const healthy: Schema = object<{ status: "ok" }>({ status: { const: "ok" } });
const verdict = { says: "The verdict for each pool", schema: schemaRef("ReloadVerdict") };
const recycled = {
  says: "The workers that were replaced",
  schema: object<{ recycled: unknown }>({
    recycled: {
      type: "array",
      items: object<{ slot: number; pid: number }>({
        slot: { type: "integer", minimum: 0 },
        pid: { type: "integer", minimum: 0 },
      }),
    },
  }),
};

const reading: readonly Route[] = [
  route(
    "GET",
    "/v1/status",
    "What every pool and worker is doing",
    async ({ target }) => document(await target.status()),
    {
      answers: { 200: { says: "The status document", schema: schemaRef("Status") } },
    },
  ),
  route("GET", "/v1/events", "What has happened and what happens", openEvents, {
    query: {
      follow: FOLLOW,
      since: { kind: "time", description: "only events at or after this time" },
      last: LAST,
    },
    lines: true,
    answers: {
      200: {
        says: "An event a line",
        schema: { anyOf: [schemaRef("Event"), schemaRef("StreamNotice")] },
      },
    },
  }),
  route("GET", "/v1/logs", "What the workers print", openLogs, {
    query: { follow: FOLLOW, pool: { kind: "pools", description: "only of these pools" }, last: LAST },
    lines: true,
    answers: {
      200: {
        says: "A line of output a line",
        schema: { anyOf: [schemaRef("LogLine"), schemaRef("StreamNotice")] },
      },
    },
  }),
  route("GET", "/healthz", "Whether all is well, for probes", health, {
    query: { pool: POOL },
    answers: {
      200: { says: "Healthy", schema: healthy },
      503: { says: "Not healthy; `detail` says why", schema: schemaRef("Problem") },
    },
  }),
];

const acting: readonly Route[] = [
  route("POST", "/v1/reload", "Re-read the configuration and roll the pools, new before old", reload, {
    body: object<{ pools: string[]; changed: boolean; wait: boolean }>(
      { pools: poolNames, changed: boolean, wait: boolean },
      { closed: true, optional: ["pools", "changed", "wait"] },
    ),
    answers: {
      200: verdict,
      202: {
        says: 'With `"wait": false`: the configuration is good and the roll has begun; /v1/events tells the rest',
        schema: object<{ accepted: true }>({ accepted: { const: true } }),
      },
    },
  }),
  route("POST", "/v1/restart", "Roll the pools with the configuration as it is", restart, {
    body: object<{ pools: string[] }>({ pools: poolNames }, { closed: true, optional: ["pools"] }),
    answers: { 200: verdict },
  }),
  route("POST", "/v1/pools/{name}/restart", "Roll one pool with the configuration as it is", restartPool, {
    answers: { 200: verdict },
  }),
  route("POST", "/v1/pools/{name}/scale", "Change how many workers a pool has", scale, {
    body: object<{ workers: number | string }>(
      {
        workers: {
          anyOf: [
            { type: "integer", minimum: 0 },
            { type: "string", pattern: "^[+-]\\d{1,6}$" },
          ],
          description: 'a number such as 8, or a change such as "+2" or "-2"',
        },
      },
      { closed: true },
    ),
    answers: {
      200: {
        says: "The wanted number before and after",
        schema: object<{ from: number; to: number }>({
          from: { type: "integer", minimum: 0 },
          to: { type: "integer", minimum: 0 },
        }),
      },
    },
  }),
  route("POST", "/v1/pools/{name}/recycle", "Replace every worker of a pool, one after the other", recycle, {
    answers: { 200: recycled },
  }),
  route("POST", "/v1/pools/{name}/workers/{slot}/recycle", "Replace one worker, new before old", recycle, {
    answers: { 200: recycled },
  }),
  route("POST", "/v1/pools/{name}/drain", "Finish what is active and take nothing new", drain, {
    answers: {
      200: { says: "No worker is left", schema: object<{ drained: true }>({ drained: { const: true } }) },
    },
  }),
  route("POST", "/v1/pools/{name}/resume", "Take work again after a drain", resume, {
    answers: {
      200: { says: "The workers are ready", schema: object<{ resumed: true }>({ resumed: { const: true } }) },
    },
  }),
  route("POST", "/v1/pools/{name}/rollback", "Back to the previous generation's configuration", rollback, {
    answers: { 200: verdict },
  }),
  route("POST", "/v1/upgrade", "Hand over to a supervisor of the installed version", upgrade, {
    body: object<{ node: string; main: string }>(
      {
        node: { type: "string", minLength: 1, description: "the path of the Node to run it with" },
        main: { type: "string", minLength: 1, description: "the path of the new supervisor's program" },
      },
      { closed: true, optional: ["node", "main"] },
    ),
    answers: {
      200: { says: "The new supervisor has taken over", schema: schemaRef("UpgradeVerdict") },
    },
  }),
  route("POST", "/v1/stop", "Stop every worker and the supervisor", stop, {
    body: object<{ fast: boolean }>({ fast: boolean }, { closed: true, optional: ["fast"] }),
    answers: {
      200: {
        says: "Every worker has gone",
        schema: object<{ stopped: true }>({ stopped: { const: true } }),
      },
    },
  }),
];

const later: readonly Route[] = [
  notYet("GET", "/metrics", "OpenMetrics"),
  notYet("GET", "/v1/why", "The cause and evidence of each decision"),
];

/** Every route save `/openapi.json`, which describes them. */
export const ROUTES: readonly Route[] = [...reading, ...acting, ...later];

async function openEvents({ target, query }: ApiRequest): Promise<Answer> {
  const { since, last } = query;
  return {
    kind: "lines",
    follow: query.follow === true,
    open: (follow) =>
      target.events({
        ...(since === undefined ? {} : { since }),
        ...(last === undefined ? {} : { last }),
        ...(follow === undefined ? {} : { follow }),
      }),
  };
}

async function openLogs({ target, query }: ApiRequest): Promise<Answer> {
  const { pool: pools, last } = query;
  return {
    kind: "lines",
    follow: query.follow === true,
    open: (follow) =>
      target.logs({
        ...(pools === undefined ? {} : { pools }),
        ...(last === undefined ? {} : { last }),
        ...(follow === undefined ? {} : { follow }),
      }),
  };
}

async function health({ target, query }: ApiRequest): Promise<Answer> {
  const reason = target.health(query.pool?.[0]);
  if (reason !== undefined) throw new OperationError("GWPM_UNHEALTHY", reason, { status: 503 });
  return document({ status: "ok" });
}

async function reload({ target, body }: ApiRequest): Promise<Answer> {
  const { pools, changed, wait } = body as { pools?: string[]; changed?: boolean; wait?: boolean };
  const options = {
    ...(pools === undefined ? {} : { pools }),
    ...(changed === undefined ? {} : { changed }),
  };
  if (wait !== false) return document(await target.reload(options));
  return new Promise((resolve, reject) => {
    const accepted = () => resolve(document({ accepted: true }, 202));
    target.reload({ ...options, accepted }).then((result) => resolve(document(result)), reject);
  });
}

async function restart({ target, body }: ApiRequest): Promise<Answer> {
  const { pools } = body as { pools?: string[] };
  return document(await target.restart(pools === undefined ? {} : { pools }));
}

async function restartPool({ target, path }: ApiRequest): Promise<Answer> {
  return document(await target.restart({ pools: [path.name!] }));
}

async function scale({ target, path, body }: ApiRequest): Promise<Answer> {
  return document(await target.scale(path.name!, body.workers as number | string));
}

async function recycle({ target, path }: ApiRequest): Promise<Answer> {
  const { name, slot } = path;
  if (slot === undefined) return document(await target.recycle(name!));
  if (!/^\d{1,9}$/.test(slot)) {
    throw new OperationError("GWPM_BAD_SLOT", `"${slot}" is not a slot; slots are numbers from 0`, {
      status: 400,
      exitCode: 2,
    });
  }
  return document(await target.recycle(name!, Number(slot)));
}

async function drain({ target, path }: ApiRequest): Promise<Answer> {
  await target.drain(path.name!);
  return document({ drained: true });
}

async function resume({ target, path }: ApiRequest): Promise<Answer> {
  await target.resume(path.name!);
  return document({ resumed: true });
}

async function rollback({ target, path }: ApiRequest): Promise<Answer> {
  return document(await target.rollback(path.name!));
}

async function upgrade({ target, body }: ApiRequest): Promise<Answer> {
  return document(await target.upgrade(body as { node?: string; main?: string }));
}

async function stop({ target, body }: ApiRequest): Promise<Answer> {
  await target.stop({ fast: body.fast === true });
  return document({ stopped: true });
}
