/** What every handler form can reach of its request beyond HTTP: `req.gateway` (SPEC §6). */

import type { Params } from "../protocol/params.ts";
import { askForRecycle } from "./control-channel.ts";
import type { Exchange } from "./exchange.ts";

export interface GatewayContext {
  /** The CGI variables that the front end sent, such as `REMOTE_USER`. */
  readonly params: Params;
  /** Fires when the front end goes away before the response is complete. */
  readonly signal: AbortSignal;
  readonly role: "responder" | "authorizer" | "filter";
  /** The request target as the client sent it; `req.url` is without `wire.basePath`. */
  readonly originalUrl: string;
  /** Asks the supervisor to replace this worker, new before old; requests that are active are finished. Without a supervisor it does nothing. */
  recycle(reason: string): void;
}

export class ExchangeContext implements GatewayContext {
  readonly originalUrl: string;
  readonly #exchange: Exchange;
  #controller: AbortController | undefined;

  constructor(exchange: Exchange, originalUrl: string) {
    this.#exchange = exchange;
    this.originalUrl = originalUrl;
  }

  get params(): Params {
    return this.#exchange.params;
  }

  get role(): "responder" | "authorizer" | "filter" {
    return this.#exchange.role;
  }

  /** Made on demand: an AbortController costs more than the rest of a small request. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#exchange.aborted) this.abort();
    }
    return this.#controller.signal;
  }

  recycle(reason: string): void {
    askForRecycle(reason);
  }

  /** For the tier that made this object: the front end has gone away. */
  abort(): void {
    this.#controller?.abort(clientGone());
  }
}

/** The reason in an abort signal, and the error of a body that will not arrive in full. */
export function clientGone(): Error {
  return Object.assign(new Error("aborted: the front end closed the connection or aborted the request"), {
    code: "ECONNRESET",
  });
}

/** The error of a body that a handler goes on reading after it has answered: unlike HTTP/1, FastCGI delivers none then. */
export function answeredEarly(): Error {
  return Object.assign(new Error("aborted: the response was ended before the request body had arrived"), {
    code: "ECONNRESET",
  });
}
