/** The request of the fast lane: nothing is decoded before the handler asks for it. */

import { headersObject } from "../protocol/cgi/header-fields.ts";
import { contentLength, requestHeaders } from "../protocol/cgi/request-headers.ts";
import type { Exchange } from "./exchange.ts";
import { whenAborted } from "./gateway-abort.ts";
import { BodyReader } from "./gateway-body.ts";
import { ExchangeContext, type GatewayContext } from "./request-context.ts";
import { originalUrl, stripBasePath } from "./request-url.ts";

const DEFAULT_BUFFER_LIMIT = 16 * 1024 * 1024;
const VARIABLE_CACHE_LIMIT = 1024;
/** Header name as given → CGI variable. */
const variables = new Map<string, string>();

export class GatewayRequest {
  readonly #exchange: Exchange;
  readonly #basePath: string;
  #originalUrl: string | undefined;
  #context: ExchangeContext | undefined;
  #body: BodyReader | undefined;
  #data: BodyReader | undefined;
  #watching = false;

  constructor(exchange: Exchange, basePath: string) {
    this.#exchange = exchange;
    this.#basePath = basePath;
  }

  /** Such as `GET`. */
  get method(): string {
    return this.#exchange.params.get("REQUEST_METHOD") ?? "GET";
  }

  /** Path and query as the client sent them, without the pool's `wire.basePath`. */
  get url(): string {
    return stripBasePath(this.originalUrl, this.#basePath);
  }

  /** Path and query as the client sent them. */
  get originalUrl(): string {
    this.#originalUrl ??= originalUrl(this.#exchange.params);
    return this.#originalUrl;
  }

  get role(): "responder" | "authorizer" | "filter" {
    return this.#exchange.role;
  }

  /** The value of a CGI variable, such as `REMOTE_USER`, latin1. */
  param(name: string): string | undefined {
    return this.#exchange.params.get(name);
  }

  /** The value of a request header; the case of `name` does not matter. Repeated headers are joined as node:http does. */
  header(name: string): string | undefined {
    const variable = variables.get(name) ?? variableOf(name);
    const { params } = this.#exchange;
    if (variable === "CONTENT_LENGTH") return contentLength(params);
    const value = params.get(variable);
    return variable === "CONTENT_TYPE" && value === "" ? undefined : value;
  }

  /** All request headers, names in lower case, in an object without prototype. Made anew on each access. */
  get headers(): Record<string, string | string[]> {
    return headersObject(requestHeaders(this.#exchange.params, !this.#exchange.bodyEmpty));
  }

  /** Fires when the front end goes away before the response is complete. */
  get signal(): AbortSignal {
    return this.#gateway().signal;
  }

  /** CGI variables, the original URL, and the way to ask for a new worker. */
  get gateway(): GatewayContext {
    return this.#gateway();
  }

  /**
   * The request body, once: a second loop goes on where the first was left. The loop throws where the body does not arrive whole.
   */
  get body(): AsyncIterableIterator<Buffer> {
    return this.#bodyReader();
  }

  /** The file that a FastCGI filter is to transform; empty in other roles. */
  get data(): AsyncIterableIterator<Buffer> {
    if (this.#data === undefined) {
      const exchange = this.#exchange;
      this.#data = new BodyReader({
        take: (sink) => exchange.takeData(sink),
        resume: () => exchange.resumeData(),
      });
      this.#watch();
    }
    return this.#data;
  }

  /**
   * The whole request body.
   * @param options `limit`: the longest body in bytes @default 16 MiB
   * @throws BodyTooLargeError which becomes a 413 where it is not caught
   */
  buffer(options: { readonly limit?: number } = {}): Promise<Buffer> {
    return this.#bodyReader().readAll(options.limit ?? DEFAULT_BUFFER_LIMIT);
  }

  #bodyReader(): BodyReader {
    if (this.#body === undefined) {
      const exchange = this.#exchange;
      this.#body = new BodyReader({
        take: (sink) => exchange.takeBody(sink),
        resume: () => exchange.resumeBody(),
      });
      this.#watch();
    }
    return this.#body;
  }

  #gateway(): ExchangeContext {
    if (this.#context === undefined) {
      this.#context = new ExchangeContext(this.#exchange, this.originalUrl);
      this.#watch();
    }
    return this.#context;
  }

  /** Small requests have nothing that an abort would matter to. */
  #watch(): void {
    if (this.#exchange.aborted) {
      this.#aborted();
    } else if (!this.#watching) {
      this.#watching = true;
      whenAborted(this.#exchange, () => this.#aborted());
    }
  }

  #aborted(): void {
    this.#body?.abort();
    this.#data?.abort();
    this.#context?.abort();
  }
}

function variableOf(name: string): string {
  const upper = name.toUpperCase().replaceAll("-", "_");
  const variable = upper === "CONTENT_TYPE" || upper === "CONTENT_LENGTH" ? upper : `HTTP_${upper}`;
  if (variables.size < VARIABLE_CACHE_LIMIT) variables.set(name, variable);
  return variable;
}
