/** Serves exchanges with a `gateway` handler: the fast lane, with nothing between it and the wire (SPEC §6). */

import type { Exchange, ExchangeHandler } from "./exchange.ts";
import { BodyTooLargeError } from "./gateway-body.ts";
import { GatewayRequest } from "./gateway-request.ts";
import { GatewayResponse } from "./gateway-response.ts";
import { reportHandlerError, sendError } from "./handler-error.ts";

export type { GatewayRequest } from "./gateway-request.ts";
export type { GatewayHeaders, GatewayResponse } from "./gateway-response.ts";

/**
 * Answers one request. The response ends when `response.end()` or `response.send()` is called, or when the returned promise settles. An
 * exception or a rejection becomes a 500 where the head has not been sent, else the response is broken off.
 *
 * @example
 * export const gateway = (request, response) => {
 *   response.send(200, { "content-type": "text/plain" }, `hello ${request.param("REMOTE_USER") ?? "stranger"}\n`);
 * };
 */
export type GatewayHandler = (request: GatewayRequest, response: GatewayResponse) => unknown;

/** @param basePath taken off the front of `request.url` */
export function gatewayLane(handler: GatewayHandler, basePath: string): ExchangeHandler {
  return (exchange) => {
    const request = new GatewayRequest(exchange, basePath);
    let result: unknown;
    try {
      result = handler(request, new GatewayResponse(exchange));
    } catch (error) {
      failed(exchange, request, error);
      return;
    }
    if (result !== undefined && isThenable(result)) {
      result.then(
        () => settled(exchange, request),
        (error: unknown) => failed(exchange, request, error),
      );
    }
  };
}

function settled(exchange: Exchange, request: GatewayRequest): void {
  if (exchange.ended || exchange.aborted) return;
  if (exchange.headSet) exchange.end();
  else failed(exchange, request, new Error("its promise settled, and no response had been sent"));
}

function failed(exchange: Exchange, request: GatewayRequest, error: unknown): void {
  // Whoever waits for a body or a write when the front end goes away ends with an error of its own: nothing to report.
  if (exchange.aborted) return;
  if (error instanceof BodyTooLargeError && !exchange.headSet && !exchange.ended) {
    sendError(exchange, 413);
    return;
  }
  reportHandlerError(error, request.method, request.originalUrl);
  if (exchange.ended) return;
  if (exchange.headSet) exchange.fail("the handler failed");
  else sendError(exchange, 500);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
