/** Finds the handler in what a module exports or `serve()` is given: every form of SPEC §6, told apart by what it can do. */

import { Server } from "node:http";
import type { FetchHandler } from "./fetch/tier.ts";
import type { GatewayHandler } from "./gateway-lane.ts";
import type { NodeListener } from "./node/tier.ts";

export type Responder =
  | { readonly kind: "node"; readonly listener: NodeListener; readonly upgrade?: Server }
  | { readonly kind: "fetch"; readonly handler: FetchHandler }
  | { readonly kind: "gateway"; readonly handler: GatewayHandler };

export interface Handlers {
  readonly responder?: Responder;
  readonly authorizer?: GatewayHandler;
  readonly filter?: GatewayHandler;
  /** Lets the app put its things away once the last request is done. */
  readonly close?: () => unknown;
}

type Unknown = Readonly<Record<string, unknown>>;

/**
 * @param exported a module's namespace, or an object with the same names
 * @returns `undefined` where it holds no handler at all
 * @throws TypeError for a `gateway`, `authorizer` or `filter` that is not a function, or a default export of no known form
 */
export async function handlersOfModule(exported: Unknown): Promise<Handlers | undefined> {
  const main = await defaultExport(exported);
  const named = (name: string) => namedHandler(name, exported[name] ?? property(main, name));
  const gateway = named("gateway");
  const authorizer = named("authorizer");
  const filter = named("filter");
  const roles = { ...(authorizer && { authorizer }), ...(filter && { filter }) };
  if (gateway !== undefined) return { ...roles, responder: { kind: "gateway", handler: gateway } };
  const app = await handlersOfValue(main);
  if (app !== undefined) return { ...app, ...roles };
  if (authorizer !== undefined || filter !== undefined) return roles;
  if (main === undefined || isEmptyObject(main)) return undefined;
  throw new TypeError(`its default export is ${describe(main)}, which is no handler; ${KNOWN_FORMS}`);
}

/** Names the forms, for messages. */
export const KNOWN_FORMS =
  "export default a function (request, response), an express, koa or fastify app, an http.Server or an object with fetch(); " +
  'or export "gateway"; or call serve() from "gwpm"';

/** @returns `undefined` where the value is no handler */
export async function handlersOfValue(value: unknown): Promise<Handlers | undefined> {
  if (typeof value === "function") return { responder: { kind: "node", listener: value as NodeListener } };
  if (typeof value !== "object" || value === null) return undefined;
  if (value instanceof Server) return { responder: httpServer(value) };
  const app = value as Unknown;
  if (isFunction(app.routing) && isFunction(app.ready)) return fastify(app);
  if (isFunction(app.callback))
    return { responder: { kind: "node", listener: app.callback() as NodeListener } };
  if (isFunction(app.fetch)) {
    const { fetch } = app;
    return {
      responder: { kind: "fetch", handler: (request, context) => fetch.call(app, request, context) as never },
    };
  }
  return undefined;
}

/** An http.Server that does not listen itself: whoever waits for its 'request' events gets ours. */
function httpServer(server: Server): Responder {
  return {
    kind: "node",
    listener: (request, response) => {
      if (!server.emit("request", request, response))
        throw new Error("the exported http.Server has no request listener");
    },
    upgrade: server,
  };
}

async function fastify(app: Unknown): Promise<Handlers> {
  await (app.ready as () => PromiseLike<unknown>).call(app);
  const routing = app.routing as NodeListener;
  return {
    responder: { kind: "node", listener: (request, response) => routing.call(app, request, response) },
    ...(isFunction(app.close) && { close: app.close.bind(app) }),
  };
}

/** Looks through what compilers of CommonJS make of a default export, and awaits an app that is built asynchronously. */
async function defaultExport(exported: Unknown): Promise<unknown> {
  const main = await exported.default;
  return property(main, "__esModule") === true ? await property(main, "default") : main;
}

function namedHandler(name: string, value: unknown): GatewayHandler | undefined {
  if (value === undefined) return undefined;
  if (isFunction(value)) return value as GatewayHandler;
  throw new TypeError(
    `its export "${name}" is ${describe(value)}; it must be a function (request, response)`,
  );
}

/** Of a plain object only, such as `module.exports = { gateway }`: an app may carry properties of any name. */
function property(value: unknown, name: string): unknown {
  return isPlainObject(value) ? value[name] : undefined;
}

/** What `import` makes of a CommonJS module that exports nothing. */
function isEmptyObject(value: unknown): boolean {
  return isPlainObject(value) && Object.keys(value).length === 0;
}

function isPlainObject(value: unknown): value is Unknown {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

function isFunction(value: unknown): value is (...args: unknown[]) => unknown {
  return typeof value === "function";
}

function describe(value: unknown): string {
  if (value === null) return "null";
  if (typeof value !== "object") return `a ${typeof value}`;
  const name = (value as object).constructor?.name;
  return name === undefined || name === "Object" ? "an object" : `an object of class ${name}`;
}
