/**
 * A real `http.ServerResponse` over an exchange. Its header API, its checks and its events are Node's own; replaced are the two places
 * where it would write HTTP/1: `_storeHeader`, which composes the head, and `_send`, which takes bytes for the socket.
 */

import {
  type IncomingMessage,
  OutgoingMessage,
  ServerResponse,
  STATUS_CODES,
  validateHeaderName,
  validateHeaderValue,
} from "node:http";
import { encodeHead } from "../../protocol/cgi/response-head.ts";
import type { Exchange } from "../exchange.ts";
import { internalSymbol } from "./internals.ts";
import type { NodeSocket } from "./socket.ts";

type Callback = (error?: Error | null) => void;
type HeaderValue = number | string | readonly string[];
/** What writeHead() hands on: its own store, name → [name, value], or whatever form the caller passed. */
type HeaderSource = Record<string, HeaderValue> | readonly unknown[] | undefined | null;

const WIRE = Symbol("gwpm.wire");
/** Where OutgoingMessage notes that write() has returned false. */
const NEED_DRAIN = internalSymbol(new OutgoingMessage(), "kNeedDrain") ?? Symbol("kNeedDrain");

/** What differs are own properties, see NodeRequest. */
export class NodeResponse extends ServerResponse {
  declare _header: string | null;
  declare _headerSent: boolean;
  declare _hasBody: boolean;
  declare _contentLength: number | null;
  declare _removedContLen: boolean;
  declare _closed: boolean;
  declare _storeHeader: (firstLine: string, headers: HeaderSource) => void;
  declare _send: (
    data: string | Buffer,
    encoding?: BufferEncoding | null,
    callback?: Callback | null,
  ) => boolean;
  declare _writeRaw: (data: string, encoding: BufferEncoding, callback?: Callback) => boolean;
  [WIRE]: Wire;

  constructor(request: IncomingMessage, exchange: Exchange, socket: NodeSocket, onFinished: () => void) {
    super(request);
    (this as { socket: unknown }).socket = socket;
    this[WIRE] = new Wire(exchange, socket, onFinished);
    this._storeHeader = storeHeader;
    this._send = send;
    this._writeRaw = dropInterim;
    this.end = end as never;
  }
}

/** The way of one response to its exchange. */
class Wire {
  readonly exchange: Exchange;
  readonly socket: NodeSocket;
  readonly onFinished: () => void;
  /** The head says how long the body is. */
  lengthKnown = false;
  /** True while end() runs: what it sends is held back, to go out as one. */
  ending = false;
  last: string | Buffer | undefined;
  lastEncoding: BufferEncoding | undefined;
  /** What Node wants called once everything is written, among it what emits 'finish'. */
  callbacks: Callback[] | undefined;

  constructor(exchange: Exchange, socket: NodeSocket, onFinished: () => void) {
    this.exchange = exchange;
    this.socket = socket;
    this.onFinished = onFinished;
  }

  hold(
    data: string | Buffer,
    encoding: BufferEncoding | undefined,
    callback: Callback | null | undefined,
  ): void {
    if (data.length > 0) {
      this.last = data;
      this.lastEncoding = encoding;
    }
    if (typeof callback !== "function") return;
    if (this.callbacks === undefined) this.callbacks = [callback];
    else this.callbacks.push(callback);
  }

  complete(): void {
    const { last, lastEncoding } = this;
    this.last = undefined;
    this.socket.writableLength = 1;
    // Nobody is there to finish for: the response's 'close' has come, or is about to.
    if (this.exchange.aborted || this.exchange.ended) return;
    this.exchange.end(last, lastEncoding, (error) => this.#written(error));
  }

  #written(error: Error | null | undefined): void {
    if (error) return;
    this.socket.writableLength = 0;
    for (const callback of this.callbacks ?? []) callback();
    this.onFinished();
  }
}

/** Composes the head; like Node's own it is sent with the first bytes of the body. */
function storeHeader(this: NodeResponse, _firstLine: string, headers: HeaderSource): void {
  const list = this.getHeaderNames().length > 0 ? storedHeaders(headers) : givenHeaders(headers);
  const promised = contentLengthOf(list);
  if (promised !== undefined) this._contentLength = Number(promised);
  else if (mayPromise(this)) list.push("Content-Length", String(this._contentLength));
  this[WIRE].lengthKnown = typeof this._contentLength === "number";
  const { statusCode, statusMessage } = this;
  const reason = STATUS_CODES[statusCode] === statusMessage ? undefined : statusMessage;
  this._header = encodeHead(statusCode, reason, list);
}

/** Node's rule: end() with all of the body has set `_contentLength`, unless the app has removed the header or there is no body. */
function mayPromise(response: NodeResponse): boolean {
  return response._hasBody && typeof response._contentLength === "number" && !response._removedContLen;
}

/** The store of setHeader() and the like, which have checked what is in it: lower-case name → [name, value]. */
function storedHeaders(store: HeaderSource): string[] {
  const list: string[] = [];
  const entries = store as Record<string, [string, HeaderValue]>;
  for (const key in entries) append(list, entries[key]![0], entries[key]![1]);
  return list;
}

/** Passed to writeHead(), in any of its three forms: an object, an array of pairs, a flat array. */
function givenHeaders(headers: HeaderSource): string[] {
  const list: string[] = [];
  if (headers === undefined || headers === null) return list;
  if (!Array.isArray(headers)) {
    for (const name of Object.keys(headers))
      appendChecked(list, name, (headers as Record<string, HeaderValue>)[name]!);
  } else if (Array.isArray(headers[0])) {
    for (const [name, value] of headers as [string, HeaderValue][]) appendChecked(list, name, value);
  } else {
    if (headers.length % 2 !== 0) throw oddHeaders();
    for (let i = 0; i < headers.length; i += 2)
      appendChecked(list, headers[i] as string, headers[i + 1] as HeaderValue);
  }
  return list;
}

function appendChecked(list: string[], name: string, value: HeaderValue): void {
  validateHeaderName(name);
  if (Array.isArray(value)) for (const each of value) validateHeaderValue(name, each);
  else validateHeaderValue(name, value as string);
  append(list, name, value);
}

/** An array is one line each; of Cookie alone it is one line, joined. */
function append(list: string[], name: string, value: HeaderValue): void {
  if (!Array.isArray(value)) list.push(name, String(value));
  else if (name.length === 6 && name.toLowerCase() === "cookie") list.push(name, value.join("; "));
  else for (const each of value) list.push(name, String(each));
}

function contentLengthOf(list: readonly string[]): string | undefined {
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!;
    if (name.length === 14 && name.toLowerCase() === "content-length") return list[i + 1];
  }
  return undefined;
}

function oddHeaders(): Error {
  return Object.assign(
    new TypeError("writeHead() was given a list of headers with a name that has no value"),
    {
      code: "ERR_INVALID_ARG_VALUE",
    },
  );
}

/** Called by write(), end() and flushHeaders() with what they have encoded and checked. */
function send(
  this: NodeResponse,
  data: string | Buffer,
  encoding?: BufferEncoding | null,
  callback?: Callback | null,
): boolean {
  const wire = this[WIRE];
  const { exchange } = wire;
  if (!this._headerSent && this._header !== null) {
    this._headerSent = true;
    if (!exchange.aborted) exchange.head(wire.ending ? withLength(this, data, encoding) : this._header);
  }
  if (wire.ending) {
    wire.hold(data, encoding ?? undefined, callback);
    return true;
  }
  if (data.length === 0) {
    if (typeof callback === "function") process.nextTick(callback);
    return true;
  }
  wire.socket.touch();
  if (exchange.write(data, encoding ?? undefined, callback ?? undefined)) return true;
  exchange.onDrain ??= () => drain(this);
  return false;
}

/**
 * After writeHead() and end(body) the length is known as well. Node chunks such a response; here it is the only way by which an SCGI
 * front end can tell a whole response from one that broke off.
 */
function withLength(response: NodeResponse, data: string | Buffer, encoding?: BufferEncoding | null): string {
  const head = response._header!;
  if (response[WIRE].lengthKnown || !response._hasBody || response._removedContLen) return head;
  const length = typeof data === "string" ? Buffer.byteLength(data, encoding ?? "utf8") : data.length;
  return `${head.slice(0, -2)}Content-Length: ${length}\r\n\r\n`;
}

function drain(response: NodeResponse): void {
  const state = response as unknown as Record<symbol, boolean>;
  if (response.finished || !state[NEED_DRAIN]) return;
  state[NEED_DRAIN] = false;
  response.emit("drain");
}

/** 100 Continue, 102 and 103 are the front end's to send: in a CGI response they break it. */
function dropInterim(
  this: NodeResponse,
  _data: string,
  _encoding: BufferEncoding,
  callback?: Callback,
): boolean {
  if (typeof callback === "function") process.nextTick(callback);
  return true;
}

function end(this: NodeResponse, chunk?: unknown, encoding?: unknown, callback?: unknown): NodeResponse {
  const wire = this[WIRE];
  const realEnd = ServerResponse.prototype.end as (...args: unknown[]) => unknown;
  if (this.finished) {
    realEnd.call(this, chunk, encoding, callback);
    return this;
  }
  wire.ending = true;
  try {
    realEnd.call(this, chunk, encoding, callback);
  } finally {
    wire.ending = false;
  }
  wire.complete();
  return this;
}

/** The response, or its front end, is gone: nothing more is written. */
export function closeResponse(response: NodeResponse): void {
  if (response._closed) return;
  response.destroyed = true;
  response._closed = true;
  response.emit("close");
}
