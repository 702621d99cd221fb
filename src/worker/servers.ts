/** Puts together what a pool's protocol and an app's handler form need. */

import type { RoleName } from "../protocol/fastcgi/session.ts";
import { allowedClients } from "./allowed-clients.ts";
import { ConnectionContext } from "./connection-context.ts";
import type { Protocol, WorkerEnvironment } from "./environment.ts";
import type { ExchangeHandler } from "./exchange.ts";
import { FastCgiConnection } from "./fastcgi-connection.ts";
import { fetchTier } from "./fetch/tier.ts";
import { gatewayLane } from "./gateway-lane.ts";
import type { Handlers, Responder } from "./handlers.ts";
import { listenerForExchanges, listenerForNode } from "./http/listener.ts";
import { HttpServer } from "./http/server.ts";
import { nodeTier } from "./node/tier.ts";
import { ScgiConnection } from "./scgi-connection.ts";
import type { Scoreboard } from "./scoreboard.ts";
import type { WorkerServer } from "./server.ts";
import { WireServer } from "./wire-server.ts";

/**
 * @throws Error where the protocol cannot carry the handlers: only FastCGI has roles
 */
export function createWorkerServer(
  protocol: Protocol,
  handlers: Handlers,
  environment: WorkerEnvironment,
  scoreboard: Scoreboard | undefined,
): WorkerServer {
  const mayConnect = allowedClients(environment.allowedClients);
  const { idleConnectionMs, wire } = environment.options;
  if (protocol !== "fastcgi" && handlers.responder === undefined) {
    throw new Error(`${protocol} knows no authorizer and no filter, and the app has no other handler`);
  }
  if (protocol === "http") {
    const responder = handlers.responder!;
    const isNode = responder.kind === "node";
    const listener = isNode
      ? listenerForNode(responder.listener, wire.basePath)
      : listenerForExchanges(responderTier(responder, wire.basePath));
    const upgrade = isNode ? responder.upgrade : undefined;
    return new HttpServer({ listener, upgrade, mayConnect, idleConnectionMs, scoreboard });
  }
  const context = new ConnectionContext({
    handler: handlerForRoles(handlers, wire.basePath),
    wire,
    roles: rolesOf(handlers),
    idleConnectionMs,
    observer: scoreboard,
  });
  const Connection = protocol === "fastcgi" ? FastCgiConnection : ScgiConnection;
  return new WireServer((socket) => new Connection(socket, context), mayConnect, scoreboard);
}

function rolesOf(handlers: Handlers): RoleName[] {
  return (["responder", "authorizer", "filter"] as const).filter((role) => handlers[role] !== undefined);
}

/** The connection has refused roles without a handler. */
function handlerForRoles(handlers: Handlers, basePath: string): ExchangeHandler {
  const { authorizer, filter } = handlers;
  const responder = handlers.responder && responderTier(handlers.responder, basePath);
  if (authorizer === undefined && filter === undefined) return responder!;
  const byRole = {
    responder,
    authorizer: authorizer && gatewayLane(authorizer, basePath),
    filter: filter && gatewayLane(filter, basePath),
  };
  return (exchange) => byRole[exchange.role]!(exchange);
}

function responderTier(responder: Responder, basePath: string): ExchangeHandler {
  switch (responder.kind) {
    case "node":
      return nodeTier(responder.listener, basePath);
    case "fetch":
      return fetchTier(responder.handler, basePath);
    case "gateway":
      return gatewayLane(responder.handler, basePath);
  }
}
