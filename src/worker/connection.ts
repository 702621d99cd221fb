/** What FastCGI and SCGI connections have in common: the socket, its flow in both directions, and the ways it comes to an end. */

import type { Socket } from "node:net";
import type { IdlePolicy } from "../control/messages.ts";
import { type Ticking, ticksFor } from "./connection-clock.ts";
import type { ConnectionContext } from "./connection-context.ts";
import type { WireExchange } from "./connection-exchange.ts";
import { readShared } from "./connection-reader.ts";

/**
 * After our FIN the peer may still be sending a body that nobody wants. It is read and thrown away for a while: a close with unread input
 * would reset the connection, and the peer might lose the response (Apache answers 503 then, Caddy 502).
 */
const LINGER_BYTES = 256 * 1024 * 1024;
const LINGER_TICKS = ticksFor(30_000);
const LINGER_SILENT_TICKS = ticksFor(5_000);
/** When the worker stops without a successor, a connection that has not sent anything yet gets this long to do so. */
const FIRST_BYTE_TICKS = ticksFor(1_000);

export abstract class Connection implements Ticking {
  /** How many requests have been begun and not been answered yet. */
  abstract get active(): number;
  /** True while a handler has something to do. */
  abstract get serving(): boolean;
  /** Nothing active, nothing half read or written: the socket could be handed to another process now. */
  abstract get atBoundary(): boolean;

  protected readonly context: ConnectionContext;
  protected readonly socket: Socket;
  /** True where chunks passed to {@link receive} lie in a buffer that is used again. */
  protected readonly inputReused: boolean;
  /** True while a handler is called for the first time. */
  dispatching = false;

  /** True from the call of {@link close} on: the next response is the connection's last. */
  protected draining = false;
  #state: "open" | "given" | "lingering" | "closed" = "open";
  #idlePolicy: IdlePolicy = "keep";
  /** True once a hand-over came back: there was nobody to take the connection. */
  #declined = false;
  #received = false;
  #blocked = false;
  #holds = 0;
  #lastRead: number;
  #lingerSince = 0;
  #lingerBytes = 0;
  #peerAddress: string | undefined;

  protected constructor(socket: Socket, context: ConnectionContext) {
    this.socket = socket;
    this.context = context;
    this.#lastRead = context.clock.now;
    this.inputReused = readShared(socket, (buffer, size) => this.#read(buffer, size));
    if (!this.inputReused) socket.on("data", (chunk: Buffer) => this.#read(chunk, chunk.length));
    socket.on("end", () => this.#end());
    socket.on("drain", () => this.#drain());
    // An error is followed by 'close': whoever was served is gone then, and there is nobody to tell.
    socket.on("error", () => {});
    socket.on("close", () => this.#closed());
    if (context.clock.idleTicks !== null) context.clock.watch(this);
  }

  /** The peer's IP address, "" on a Unix socket. */
  get peerAddress(): string {
    this.#peerAddress ??= this.socket.remoteAddress ?? "";
    return this.#peerAddress;
  }

  /** True as long as responses can be sent. */
  get open(): boolean {
    return this.#state === "open";
  }

  /** True while the peer reads too slowly; {@link onWritable} follows. */
  get blocked(): boolean {
    return this.#blocked;
  }

  /**
   * No further request is wanted. What is active, or accepted and not yet begun, is served, and the last response is sent in a form by which
   * the front end knows that it is the last.
   *
   * @param how `keep`: an idle kept connection waits until the front end ends it, as a request may be on its way and a POST would be lost;
   * `hand-over`: another worker gets it as soon as nothing is active, or it is kept where that cannot be; `close`: there is no successor to
   * wait for
   */
  close(how: { readonly idle: IdlePolicy }): void {
    this.draining = true;
    this.#idlePolicy = how.idle;
    if (how.idle === "keep") return;
    if (how.idle === "hand-over") {
      // What hinders it now, such as a peer that reads slowly, is looked at again with each tick.
      this.context.clock.watch(this);
      this.handOver();
      return;
    }
    if (!this.open || this.active > 0) return;
    if (this.#received && this.atBoundary) this.linger();
    else this.context.clock.watch(this);
  }

  /** Ends the connection at once, whatever is active. */
  destroy(): void {
    this.#closed();
    this.socket.destroy();
  }

  onTick(now: number): void {
    if (this.#state === "given") {
      this.context.handover?.check();
      return;
    }
    this.handOver();
    const silent = now - this.#lastRead;
    if (this.#state === "lingering") {
      if (silent >= LINGER_SILENT_TICKS || now - this.#lingerSince >= LINGER_TICKS) this.destroy();
      return;
    }
    if (this.serving) {
      // The time of a request does not count as idle, nor the one in which nobody reads what the peer has sent.
      this.#lastRead = now;
      return;
    }
    const limit = this.#idlePolicy === "close" ? FIRST_BYTE_TICKS : this.context.clock.idleTicks;
    if (limit !== null && silent >= limit) this.linger();
  }

  /** Whether the connection will go to another worker once nothing is active on it. */
  protected get willBeHandedOver(): boolean {
    return this.#idlePolicy === "hand-over" && !this.#declined && this.context.handover?.possible === true;
  }

  /** Gives the connection to another worker, where that is wanted and nothing is under way on it. */
  protected handOver(): void {
    if (this.#idlePolicy !== "hand-over" || !this.atBoundary || this.#holds > 0) return;
    const given = this.context.handover?.give(this.socket, (outcome) => {
      if (this.#state !== "given") return;
      this.#state = "open";
      this.#declined = true;
      if (outcome === "gone") this.destroy();
      // Somebody may have decided meanwhile that there is no successor.
      else if (this.#idlePolicy === "close") this.close({ idle: "close" });
    });
    if (given === true) this.#state = "given";
  }

  /** Stops reading until {@link release}; calls are counted. */
  hold(): void {
    if (this.#holds++ === 0) this.socket.pause();
  }

  release(): void {
    if (this.#holds > 0 && --this.#holds === 0 && this.#state !== "closed") this.socket.resume();
  }

  /** Takes what has been read, the first `size` bytes of `chunk`, while the connection is open. */
  protected abstract receive(chunk: Buffer, size: number): void;
  /** The peer has ended its side, while the connection was open. */
  protected abstract peerEnded(): void;
  /** The connection is gone: abort whatever is active. */
  protected abstract lost(): void;
  /** Bytes can be written again. */
  protected abstract onWritable(): void;

  protected dispatch(exchange: WireExchange): void {
    if (this.context.observer !== null) exchange.observe(this.context.observer);
    this.dispatching = true;
    try {
      this.context.handler(exchange);
    } catch (error) {
      // Handlers catch their own errors; a fault of ours must not take the other requests along.
      exchange.fail(error instanceof Error ? (error.stack ?? error.message) : String(error));
    }
    this.dispatching = false;
    exchange.queueFlush();
  }

  /** Writes one buffer. @returns false where the peer reads too slowly */
  protected send(bytes: Buffer, done?: WriteCallback): boolean {
    if (this.#state !== "open") {
      if (done !== undefined) process.nextTick(done, new Error("The connection is closed"));
      return true;
    }
    if (!this.socket.write(bytes, done)) this.#blocked = true;
    return !this.#blocked;
  }

  /** Writes latin1 text: for small responses that saves making a buffer, Node encodes it on its stack. */
  protected sendText(text: string, done?: WriteCallback): void {
    if (this.#state !== "open") {
      if (done !== undefined) process.nextTick(done, new Error("The connection is closed"));
    } else if (!this.socket.write(text, "latin1", done)) {
      this.#blocked = true;
    }
  }

  /** Writes several buffers in one system call where the kernel takes them. */
  protected sendAll(parts: readonly Buffer[], done?: WriteCallback): boolean {
    const last = parts.length - 1;
    this.socket.cork();
    for (let i = 0; i < last; i++) this.send(parts[i]!);
    this.send(parts[last]!, done);
    this.socket.uncork();
    return !this.#blocked;
  }

  /** Sends what has been written, then a FIN, and lets the peer finish (bounded). Nothing is answered any more. */
  protected linger(): void {
    if (this.#state !== "open") return;
    this.#state = "lingering";
    this.#lingerSince = this.context.clock.now;
    this.#lastRead = this.#lingerSince;
    this.context.clock.watch(this);
    this.socket.end();
    this.#holds = 0;
    this.socket.resume();
  }

  #read(chunk: Buffer, size: number): void {
    this.#received = true;
    this.#lastRead = this.context.clock.now;
    if (this.#state === "open") {
      this.receive(chunk, size);
    } else {
      this.#lingerBytes += size;
      if (this.#lingerBytes > LINGER_BYTES) this.destroy();
    }
  }

  #end(): void {
    if (this.#state !== "open") return;
    this.peerEnded();
  }

  #drain(): void {
    this.#blocked = false;
    this.onWritable();
  }

  #closed(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.context.clock.unwatch(this);
    this.lost();
  }
}

export type WriteCallback = (error?: Error | null) => void;
