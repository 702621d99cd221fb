/** Any handler form as what `http.createServer()` takes, for pools whose protocol is plain HTTP. */

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ExchangeHandler } from "../exchange.ts";
import { reportHandlerError } from "../handler-error.ts";
import type { NodeListener } from "../node/tier.ts";
import { ExchangeContext, type GatewayContext } from "../request-context.ts";
import { stripBasePath } from "../request-url.ts";
import { HttpExchange } from "./exchange.ts";

/** The handler works with Node's own objects; they get `gateway` and the stripped URL. */
export function listenerForNode(handler: NodeListener, basePath: string): NodeListener {
  return async (request, response) => {
    const exchange = new HttpExchange(request, response);
    const context = new ExchangeContext(exchange, request.url ?? "/");
    exchange.onAbort = () => context.abort();
    (request as IncomingMessage & { gateway: GatewayContext }).gateway = context;
    request.url = stripBasePath(request.url ?? "/", basePath);
    try {
      await handler(request, response);
    } catch (error) {
      if (exchange.aborted) return;
      reportHandlerError(error, request.method, context.originalUrl);
      failResponse(response);
    }
  };
}

/** The handler works with exchanges. */
export function listenerForExchanges(handler: ExchangeHandler): NodeListener {
  return (request, response) => handler(new HttpExchange(request, response));
}

function failResponse(response: ServerResponse): void {
  if (response.writableEnded) return;
  if (response.headersSent) {
    response.destroy();
    return;
  }
  for (const name of response.getHeaderNames()) response.removeHeader(name);
  const text = "Internal Server Error\n";
  response.writeHead(500, "Internal Server Error", {
    "Content-Type": "text/plain",
    "Content-Length": text.length,
  });
  response.end(text);
}
