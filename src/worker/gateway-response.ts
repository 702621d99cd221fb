/** The response of the fast lane. */

import { Buffer } from "node:buffer";
import { encodeHead } from "../protocol/cgi/response-head.ts";
import type { Exchange } from "./exchange.ts";
import { whenAborted } from "./gateway-abort.ts";
import { clientGone } from "./request-context.ts";

/** By name; an array is sent as one line for each of its values. Or name, value, name, value, … */
export type GatewayHeaders =
  | Readonly<Record<string, string | number | readonly string[] | undefined>>
  | readonly string[];

export class GatewayResponse {
  readonly #exchange: Exchange;
  /** Writers that wait for the front end to read on. */
  #waiting: ((error?: Error) => void)[] | undefined;

  constructor(exchange: Exchange) {
    this.#exchange = exchange;
  }

  /** True once the response is over: ended, or the front end has gone away. */
  get ended(): boolean {
    return this.#exchange.ended || this.#exchange.aborted;
  }

  /** True once {@link head} or {@link send} has been called. */
  get headSet(): boolean {
    return this.#exchange.headSet;
  }

  /**
   * The whole response at once; `Content-Length` is added.
   * @throws ProtocolError for a status or a header that cannot be sent
   */
  send(status: number, headers: GatewayHeaders = {}, body: string | Uint8Array = ""): void {
    const list = headerList(headers);
    const bytes = typeof body === "string" ? body : asBuffer(body);
    const isCounted = status === 204 || status === 304 || hasContentLength(list);
    const size = isCounted ? undefined : typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;
    this.#exchange.head(encodeHead(status, undefined, list, size));
    this.#exchange.end(bytes);
  }

  /**
   * Begins a response whose body follows.
   * @throws ProtocolError for a status or a header that cannot be sent
   */
  head(status: number, headers: GatewayHeaders = {}): void {
    this.#exchange.head(encodeHead(status, undefined, headerList(headers)));
  }

  /**
   * Writes a part of the body. What is written within a turn of the event loop leaves together.
   * @returns a promise to wait for before more is written; it rejects once the front end has gone away
   */
  write(chunk: string | Uint8Array): Promise<void> {
    const exchange = this.#exchange;
    if (exchange.aborted) return handled(Promise.reject(clientGone()));
    if (exchange.write(typeof chunk === "string" ? chunk : asBuffer(chunk))) return Promise.resolve();
    return handled(
      new Promise((resolve, reject) =>
        this.#wait((error) => (error === undefined ? resolve() : reject(error))),
      ),
    );
  }

  /** Ends the response, with a last part of the body where there is one. */
  end(chunk?: string | Uint8Array): void {
    this.#exchange.end(chunk === undefined || typeof chunk === "string" ? chunk : asBuffer(chunk));
  }

  #wait(done: (error?: Error) => void): void {
    const exchange = this.#exchange;
    if (this.#waiting === undefined) {
      this.#waiting = [];
      exchange.onDrain = () => this.#wake(undefined);
      whenAborted(exchange, () => this.#wake(clientGone()));
    }
    this.#waiting.push(done);
  }

  #wake(error: Error | undefined): void {
    const waiting = this.#waiting ?? [];
    this.#waiting = [];
    for (const done of waiting) done(error);
  }
}

/** A write that nobody waits for must not end the process when it fails. */
function handled(promise: Promise<void>): Promise<void> {
  promise.catch(() => {});
  return promise;
}

function headerList(headers: GatewayHeaders): string[] {
  if (Array.isArray(headers)) return [...headers];
  const list: string[] = [];
  const fields = headers as Exclude<GatewayHeaders, readonly string[]>;
  for (const name in fields) {
    const value = fields[name];
    if (typeof value === "string") list.push(name, value);
    else if (Array.isArray(value)) for (const each of value) list.push(name, each);
    else if (value !== undefined) list.push(name, String(value));
  }
  return list;
}

function hasContentLength(list: readonly string[]): boolean {
  for (let i = 0; i < list.length; i += 2) {
    const name = list[i]!;
    if (name.length === 14 && name.toLowerCase() === "content-length") return true;
  }
  return false;
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
