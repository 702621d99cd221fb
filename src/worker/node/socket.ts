/** What a node:http handler finds as `req.socket`: as much of a net.Socket as frameworks ask for, over an exchange instead of a connection. */

import { EventEmitter } from "node:events";
import { isIPv6 } from "node:net";
import type { Exchange } from "../exchange.ts";

const HIGH_WATER_MARK = 65_536;
/** OutgoingMessage.end() sets `corked` on it; nothing reads it. */
const NO_WRITABLE_STATE = { corked: 0 };

export class NodeSocket extends EventEmitter {
  readonly connecting = false;
  readonly pending = false;
  readonly readableHighWaterMark = HIGH_WATER_MARK;
  readonly writableHighWaterMark = HIGH_WATER_MARK;
  /** The exchange gathers writes by itself; above 0 keeps OutgoingMessage from corking once per tick. */
  readonly writableCorked = 1;
  readonly _writableState = NO_WRITABLE_STATE;
  destroyed = false;
  /** Above 0 from the response's end until it has been handed to the kernel: `response.writableFinished` looks here. */
  writableLength = 0;
  /** In ms, 0 when off. */
  timeout = 0;
  /** Set by the tier: breaks the request off. */
  onDestroy: ((error: Error | undefined) => void) | null = null;
  /** Set by the tier: the time given to `setTimeout` has passed without a byte. */
  onTimeout: (() => void) | null = null;
  readonly #exchange: Exchange;
  #timer: NodeJS.Timeout | undefined;

  constructor(exchange: Exchange) {
    super();
    this.#exchange = exchange;
  }

  /** Whether the client speaks TLS to the front end; express and koa derive the scheme from it. */
  get encrypted(): boolean {
    const https = this.#exchange.params.get("HTTPS");
    if (https !== undefined && https !== "" && https !== "0" && https.toLowerCase() !== "off") return true;
    return this.#exchange.params.get("REQUEST_SCHEME")?.toLowerCase() === "https";
  }

  get remoteAddress(): string | undefined {
    return this.#exchange.params.get("REMOTE_ADDR") || this.#exchange.peerAddress || undefined;
  }

  get remotePort(): number | undefined {
    return port(this.#exchange.params.get("REMOTE_PORT"));
  }

  get remoteFamily(): string | undefined {
    return family(this.remoteAddress);
  }

  get localAddress(): string | undefined {
    return this.#exchange.params.get("SERVER_ADDR");
  }

  get localPort(): number | undefined {
    return port(this.#exchange.params.get("SERVER_PORT"));
  }

  get localFamily(): string | undefined {
    return family(this.localAddress);
  }

  get readable(): boolean {
    return !this.destroyed;
  }

  get writable(): boolean {
    return !this.destroyed;
  }

  get readyState(): string {
    return this.destroyed ? "closed" : "open";
  }

  address(): { address?: string; family?: string; port?: number } {
    const { localAddress: address, localFamily, localPort } = this;
    if (address === undefined || localFamily === undefined || localPort === undefined) return {};
    return { address, family: localFamily, port: localPort };
  }

  /** As net.Socket does: 'timeout' after so long without a byte either way; whoever listens decides what follows, else it ends. */
  setTimeout(ms: number, callback?: () => void): this {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.timeout = ms;
    if (callback !== undefined) {
      if (ms === 0) this.removeListener("timeout", callback);
      else this.once("timeout", callback);
    }
    if (ms > 0 && !this.destroyed) this.#timer = setTimeout(() => this.onTimeout?.(), ms).unref();
    return this;
  }

  /** A byte went by: the timeout starts over. */
  touch(): void {
    this.#timer?.refresh();
  }

  destroy(error?: Error): this {
    if (this.destroyed) return this;
    this.onDestroy?.(error);
    return this;
  }

  destroySoon(): void {
    this.destroy();
  }

  end(): this {
    return this.destroy();
  }

  /** For the tier: the request is over. After a response this is all; after an abort, listeners hear 'close'. */
  close(aborted: boolean, error?: Error): void {
    clearTimeout(this.#timer);
    if (!aborted || this.destroyed) return;
    this.destroyed = true;
    process.nextTick(emitClose, this, error);
  }

  // The connection is the front end's, and shared: there is nothing here to tune, pause or hold back.
  setNoDelay(): this {
    return this;
  }
  setKeepAlive(): this {
    return this;
  }
  ref(): this {
    return this;
  }
  unref(): this {
    return this;
  }
  pause(): this {
    return this;
  }
  resume(): this {
    return this;
  }
  cork(): void {}
  uncork(): void {}
}

function emitClose(socket: NodeSocket, error: Error | undefined): void {
  if (error !== undefined && socket.listenerCount("error") > 0) socket.emit("error", error);
  socket.emit("close", error !== undefined);
}

function port(text: string | undefined): number | undefined {
  const number = Number(text);
  return Number.isInteger(number) && number > 0 ? number : undefined;
}

function family(address: string | undefined): string | undefined {
  if (address === undefined || address === "") return undefined;
  return isIPv6(address) ? "IPv6" : "IPv4";
}
