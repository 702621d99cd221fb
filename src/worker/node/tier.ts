/** Serves exchanges with a node:http request listener: the tier that express, koa, fastify and their like run on unmodified. */

import type { EventEmitter } from "node:events";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Exchange, ExchangeHandler } from "../exchange.ts";
import { reportHandlerError } from "../handler-error.ts";
import { abortRequest, NodeRequest, settleRequest } from "./request.ts";
import { closeResponse, NodeResponse } from "./response.ts";
import { NodeSocket } from "./socket.ts";

/** What `http.createServer()` takes. */
export type NodeListener = (request: IncomingMessage, response: ServerResponse) => unknown;

/** @param basePath taken off the front of `req.url` */
export function nodeTier(listener: NodeListener, basePath: string): ExchangeHandler {
  return (exchange) => {
    const call = new Call(exchange, basePath);
    let result: unknown;
    try {
      result = listener(call.request, call.response);
    } catch (error) {
      call.failed(error);
      return;
    }
    if (isThenable(result)) result.then(undefined, (error) => call.failed(error));
  };
}

/** One request with what belongs to it. */
class Call {
  readonly request: NodeRequest;
  readonly response: NodeResponse;
  readonly #socket: NodeSocket;
  readonly #exchange: Exchange;

  constructor(exchange: Exchange, basePath: string) {
    this.#exchange = exchange;
    this.#socket = new NodeSocket(exchange);
    this.#socket.onDestroy = (error) => this.#breakOff(error);
    this.#socket.onTimeout = () => this.#timedOut();
    this.request = new NodeRequest(exchange, this.#socket, basePath);
    this.response = new NodeResponse(this.request, exchange, this.#socket, () => this.#finished());
    exchange.onAbort = () => this.#close(undefined);
  }

  failed(error: unknown): void {
    const { request, response } = this;
    // Whoever reads or writes when the front end goes away ends with an error of its own: nothing to report.
    if (this.#exchange.aborted) return;
    reportHandlerError(error, request.method, request.gateway.originalUrl);
    if (response.writableEnded) return;
    if (response.headersSent) {
      this.#breakOff(error instanceof Error ? error : undefined);
      return;
    }
    for (const name of response.getHeaderNames()) response.removeHeader(name);
    response.statusMessage = "";
    const text = "Internal Server Error\n";
    response.writeHead(500, { "Content-Type": "text/plain", "Content-Length": text.length });
    response.end(text);
  }

  #finished(): void {
    this.#socket.close(false);
    settleRequest(this.request);
    (this.response as { socket: unknown }).socket = null;
    if (this.response.listenerCount("close") > 0) process.nextTick(closeResponse, this.response);
    else closeResponse(this.response);
  }

  #timedOut(): void {
    // All three hear of it, as in node:http; if none does, the request ends here.
    const listeners: EventEmitter[] = [this.request, this.response, this.#socket];
    const heard = listeners.filter((each) => each.emit("timeout", this.#socket));
    if (heard.length === 0) this.#breakOff(new Error("timed out"));
  }

  /** The handler has destroyed the request, the response or the socket. */
  #breakOff(error: Error | undefined): void {
    if (!this.#exchange.ended) this.#exchange.fail(error?.message ?? "the handler destroyed the response");
    this.#close(error);
  }

  #close(error: Error | undefined): void {
    this.#socket.close(true, error);
    abortRequest(this.request);
    process.nextTick(closeResponse, this.response);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === "object" && value !== null && typeof (value as { then?: unknown }).then === "function"
  );
}
