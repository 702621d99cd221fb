/** Serves exchanges with a web-standard `fetch(request)` handler, such as a Hono app. */

import type { Exchange, ExchangeHandler } from "../exchange.ts";
import { reportHandlerError, sendError } from "../handler-error.ts";
import { answeredEarly, clientGone, type GatewayContext } from "../request-context.ts";
import { GatewayFetchRequest } from "./request.ts";
import { sendResponse } from "./response.ts";

/** @param env what Hono calls `c.env` */
export type FetchHandler = (
  request: Request & { readonly gateway: GatewayContext },
  env: { readonly gateway: GatewayContext },
) => Response | PromiseLike<Response>;

/** @param basePath taken off the front of the URL's path */
export function fetchTier(handler: FetchHandler, basePath: string): ExchangeHandler {
  return (exchange) => {
    let request: GatewayFetchRequest;
    try {
      request = new GatewayFetchRequest(exchange, basePath);
    } catch {
      // A Host or a method that no URL and no Request can hold.
      sendError(exchange, 400);
      return;
    }
    void serveFetch(exchange, request, handler);
  };
}

/** Never rejects. */
async function serveFetch(
  exchange: Exchange,
  request: GatewayFetchRequest,
  handler: FetchHandler,
): Promise<void> {
  let cancel = () => {};
  exchange.onAbort = () => {
    request.gateway.abort();
    request.endBody(clientGone());
    cancel();
  };
  try {
    const response = await handler(request, { gateway: request.gateway });
    if (!(response instanceof Response)) throw new TypeError("fetch() returned no Response");
    await sendResponse(exchange, response, (onAbort) => {
      cancel = onAbort;
    });
  } catch (error) {
    // Whoever listens to the signal ends with an error of its own: nothing to report.
    if (exchange.aborted) return;
    reportHandlerError(error, request.method, request.gateway.originalUrl);
    if (exchange.headSet) exchange.fail("the response body failed");
    else sendError(exchange, 500);
  } finally {
    if (exchange.ended) request.endBody(answeredEarly());
  }
}
