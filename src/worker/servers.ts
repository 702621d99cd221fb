/**
 * Puts together what a pool's protocol and an app's handler form need. What they do not need is not loaded: a worker's start is on the way
 * of every reload and every crash.
 */

import type { Socket } from "node:net";
import type { RoleName } from "../protocol/fastcgi/session.ts";
import { allowedClients } from "./allowed-clients.ts";
import type { Protocol, WorkerEnvironment } from "./environment.ts";
import type { ExchangeHandler } from "./exchange.ts";
import type { GatewayHandler } from "./gateway-lane.ts";
import type { Handlers, Responder } from "./handlers.ts";
import type { Scoreboard } from "./scoreboard.ts";
import type { WorkerServer } from "./server.ts";

/**
 * @throws Error where the protocol cannot carry the handlers: only FastCGI has roles
 */
export async function createWorkerServer(
  protocol: Protocol,
  handlers: Handlers,
  environment: WorkerEnvironment,
  scoreboard: Scoreboard | undefined,
): Promise<WorkerServer> {
  if (protocol !== "fastcgi" && handlers.responder === undefined) {
    throw new Error(`${protocol} knows no authorizer and no filter, and the app has no other handler`);
  }
  if (protocol === "http") return createHttpServer(handlers.responder!, environment, scoreboard);
  return createWireServer(protocol, handlers, environment, scoreboard);
}

async function createHttpServer(
  responder: Responder,
  environment: WorkerEnvironment,
  scoreboard: Scoreboard | undefined,
): Promise<WorkerServer> {
  const { HttpServer } = await import("./http/server.ts");
  const { listenerForExchanges, listenerForNode } = await import("./http/listener.ts");
  const { idleConnectionMs, wire } = environment.options;
  const isNode = responder.kind === "node";
  return new HttpServer({
    listener: isNode
      ? listenerForNode(responder.listener, wire.basePath)
      : listenerForExchanges(await responderTier(responder, wire.basePath)),
    upgrade: isNode ? responder.upgrade : undefined,
    mayConnect: allowedClients(environment.allowedClients),
    idleConnectionMs,
    scoreboard,
  });
}

async function createWireServer(
  protocol: "fastcgi" | "scgi",
  handlers: Handlers,
  environment: WorkerEnvironment,
  scoreboard: Scoreboard | undefined,
): Promise<WorkerServer> {
  const { WireServer } = await import("./wire-server.ts");
  const { ConnectionContext } = await import("./connection-context.ts");
  const Connection = await connectionClass(protocol);
  const handover = protocol === "fastcgi" ? await handoverOf(environment) : undefined;
  const { idleConnectionMs, wire } = environment.options;
  const context = new ConnectionContext({
    handler: await handlerForRoles(handlers, wire.basePath),
    wire,
    roles: (["responder", "authorizer", "filter"] as const satisfies RoleName[]).filter(
      (role) => handlers[role],
    ),
    idleConnectionMs,
    observer: scoreboard,
    handover,
  });
  const mayConnect = allowedClients(environment.allowedClients);
  const connect = (socket: Socket) => new Connection(socket, context);
  return new WireServer({ connect, mayConnect, scoreboard, handover });
}

/** An SCGI connection has one request: there is no boundary at which it could change hands. */
async function handoverOf({ kind }: WorkerEnvironment) {
  if (kind !== "supervised" || !process.connected) return undefined;
  const { Handover } = await import("./handover.ts");
  return new Handover();
}

async function connectionClass(protocol: "fastcgi" | "scgi") {
  if (protocol === "fastcgi") return (await import("./fastcgi-connection.ts")).FastCgiConnection;
  return (await import("./scgi-connection.ts")).ScgiConnection;
}

/** The connection refuses roles without a handler before this is called. */
async function handlerForRoles(handlers: Handlers, basePath: string): Promise<ExchangeHandler> {
  const responder = handlers.responder && (await responderTier(handlers.responder, basePath));
  if (handlers.authorizer === undefined && handlers.filter === undefined) return responder!;
  const byRole = {
    responder,
    authorizer: handlers.authorizer && (await gatewayTier(handlers.authorizer, basePath)),
    filter: handlers.filter && (await gatewayTier(handlers.filter, basePath)),
  };
  return (exchange) => byRole[exchange.role]!(exchange);
}

async function responderTier(responder: Responder, basePath: string): Promise<ExchangeHandler> {
  switch (responder.kind) {
    case "node":
      return (await import("./node/tier.ts")).nodeTier(responder.listener, basePath);
    case "fetch":
      return (await import("./fetch/tier.ts")).fetchTier(responder.handler, basePath);
    case "gateway":
      return gatewayTier(responder.handler, basePath);
  }
}

async function gatewayTier(handler: GatewayHandler, basePath: string): Promise<ExchangeHandler> {
  return (await import("./gateway-lane.ts")).gatewayLane(handler, basePath);
}
