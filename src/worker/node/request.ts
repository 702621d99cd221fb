/** A real `http.IncomingMessage` over an exchange. */

import { IncomingMessage } from "node:http";
import { requestHeaders } from "../../protocol/cgi/request-headers.ts";
import type { BodySink, Exchange } from "../exchange.ts";
import { answeredEarly, clientGone, ExchangeContext } from "../request-context.ts";
import { originalUrl, stripBasePath } from "../request-url.ts";
import { internalSymbol } from "./internals.ts";
import type { NodeSocket } from "./socket.ts";

const EXCHANGE = Symbol("gwpm.exchange");
const SOCKET = Symbol("gwpm.socket");
const TAKEN = Symbol("gwpm.bodyTaken");
const RAW_HEADERS = Symbol("gwpm.rawHeaders");
const ALONE = Symbol("gwpm.destroyedAlone");

/**
 * Where IncomingMessage notes how much of `rawHeaders` the getters of `headers` and `headersDistinct` shall read. Where Node has no such
 * thing, the headers are not put off.
 */
const HEADERS_COUNT = internalSymbol(new IncomingMessage(null as never), "kHeadersCount");

/** Decoding the headers costs as much as the rest of a small request; many handlers never look at them. */
const LAZY_RAW_HEADERS: PropertyDescriptor = {
  configurable: true,
  enumerable: true,
  get(this: NodeRequest) {
    let list = this[RAW_HEADERS];
    if (list === undefined) {
      const exchange = this[EXCHANGE];
      list = requestHeaders(exchange.params, !exchange.bodyEmpty);
      this[RAW_HEADERS] = list;
      (this as unknown as Record<symbol, number>)[HEADERS_COUNT!] = list.length;
    }
    return list;
  },
  set(this: NodeRequest, list: string[]) {
    this[RAW_HEADERS] = list;
  },
};

/**
 * What differs from its base class are *own* properties: express sets the prototype of every request to its own, which inherits from
 * `http.IncomingMessage` and knows nothing of subclasses.
 */
export class NodeRequest extends IncomingMessage {
  override readonly gateway: ExchangeContext;
  declare _destroy: (error: Error | null, callback: (error?: Error | null) => void) => void;
  declare _addHeaderLines: (list: string[], count: number) => void;
  declare _dumped: boolean;
  [EXCHANGE]: Exchange;
  [SOCKET]: NodeSocket;
  [TAKEN]: boolean;
  [RAW_HEADERS]: string[] | undefined;
  /** Set where the body fails while the response may still be sent, or has been. */
  [ALONE]: boolean;

  constructor(exchange: Exchange, socket: NodeSocket, basePath: string) {
    super(socket as never);
    const { params } = exchange;
    const url = originalUrl(params);
    this.gateway = new ExchangeContext(exchange, url);
    this[EXCHANGE] = exchange;
    this[SOCKET] = socket;
    this[TAKEN] = false;
    this[RAW_HEADERS] = undefined;
    this[ALONE] = false;
    this._read = read;
    this._destroy = destroy;
    this.method = params.get("REQUEST_METHOD") ?? "GET";
    this.url = stripBasePath(url, basePath);
    setVersion(this, params.get("SERVER_PROTOCOL"));
    if (HEADERS_COUNT === undefined) {
      const list = requestHeaders(params, !exchange.bodyEmpty);
      this._addHeaderLines(list, list.length);
    } else {
      Object.defineProperty(this, "rawHeaders", LAZY_RAW_HEADERS);
    }
    this.complete = exchange.bodyEmpty;
  }

  static {
    // The base class assigns `rawHeaders`; without this it would make a plain property, which is slow to turn into an accessor.
    if (HEADERS_COUNT !== undefined) {
      Object.defineProperty(NodeRequest.prototype, "rawHeaders", { configurable: true, get() {}, set() {} });
    }
  }
}

/** HTTP/2 and later are shown as 1.1, as a front end that proxies HTTP would: these objects have the semantics of HTTP/1. */
function setVersion(request: IncomingMessage, protocol: string | undefined): void {
  const minor = protocol === "HTTP/1.0" ? 0 : 1;
  request.httpVersionMajor = 1;
  request.httpVersionMinor = minor;
  request.httpVersion = minor === 0 ? "1.0" : "1.1";
}

/** Nothing of the body is fetched, and an empty one costs nothing, until somebody reads. */
function read(this: NodeRequest): void {
  const exchange = this[EXCHANGE];
  if (this[TAKEN]) {
    exchange.resumeBody();
    return;
  }
  this[TAKEN] = true;
  if (exchange.bodyEmpty) this.push(null);
  else exchange.takeBody(new RequestBody(this));
}

class RequestBody implements BodySink {
  readonly #request: NodeRequest;

  constructor(request: NodeRequest) {
    this.#request = request;
  }

  onChunk(chunk: Buffer): boolean {
    const request = this.#request;
    request[SOCKET].touch();
    // After the response nobody reads any more; what still arrives is let through.
    if (request.destroyed) return true;
    return request.push(chunk);
  }

  onEnd(error?: Error): void {
    const request = this.#request;
    if (error !== undefined) {
      destroyAlone(request, error);
      return;
    }
    request.complete = true;
    if (!request.destroyed) request.push(null);
  }
}

/** As IncomingMessage does: a request that is destroyed before its end takes its connection (here: the exchange) with it. */
function destroy(this: NodeRequest, error: Error | null, callback: (error?: Error | null) => void): void {
  if (!this.readableEnded || !this.complete) {
    this.aborted = true;
    this.emit("aborted");
  }
  // stream.pipeline() takes `socket` away from a request that it destroys while the response shall still be sent.
  if (this.aborted && this.socket && !this[ALONE]) this[SOCKET].destroy(error ?? undefined);
  process.nextTick(finishDestroy, this, error, callback);
}

/** An error that nobody listens for is not worth a crash. */
function finishDestroy(
  request: NodeRequest,
  error: Error | null,
  callback: (error?: Error | null) => void,
): void {
  callback(request.listenerCount("error") > 0 ? error : null);
}

/** The front end has gone away. */
export function abortRequest(request: NodeRequest): void {
  request.gateway.abort();
  if (!request.destroyed) request.destroy(clientGone());
}

/**
 * The response is complete, and with it the request is over on the wire: unlike HTTP/1, FastCGI delivers no body after it. Who was reading
 * one that has not fully arrived gets an error, never an end that looks clean.
 */
export function settleRequest(request: NodeRequest): void {
  if (request.destroyed) return;
  if (request[TAKEN]) {
    if (!request.complete) destroyAlone(request, answeredEarly());
    return;
  }
  // Nobody has read: where nobody listens either, the ticks are saved in which the stream would end and close unseen.
  request._dumped = true;
  if (!hasListeners(request)) return;
  request[TAKEN] = true;
  request.complete = true;
  request.push(null);
  request.resume();
}

function destroyAlone(request: NodeRequest, error: Error): void {
  request[ALONE] = true;
  request.destroy(error);
}

function hasListeners(request: NodeRequest): boolean {
  return (
    request.listenerCount("close") > 0 ||
    request.listenerCount("end") > 0 ||
    request.listenerCount("error") > 0
  );
}
