/** A FastCGI connection of a worker: several requests one after another, or at a time. */

import type { Socket } from "node:net";
import { encodeHead } from "../protocol/cgi/response-head.ts";
import { ProtocolError } from "../protocol/error.ts";
import { Type } from "../protocol/fastcgi/constants.ts";
import {
  encodeEndOfStream,
  encodeEndRequest,
  type Retirement,
  retirementFor,
  retirementStatus,
} from "../protocol/fastcgi/encode.ts";
import { type ServerRequest, ServerSession, type SessionDelegate } from "../protocol/fastcgi/session.ts";
import { Connection, type WriteCallback } from "./connection.ts";
import { ticksFor } from "./connection-clock.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { wrongProtocolHint } from "./connection-hint.ts";
import { FastCgiExchange } from "./fastcgi-exchange.ts";

/** Told to those who ask; nothing is refused for it, as the listening socket's backlog is the limit. */
const MAX_CONNECTIONS = 1024;
/** How long END_REQUEST waits for a body that HAProxy is still sending. */
const HOLD_TICKS = ticksFor(30_000);

/**
 * What a connection with a broken response ends with: a record of version 0, which is none. A missing END_REQUEST alone is not enough, nginx
 * without fastcgi_keep_conn takes the end of the connection for that of the response.
 */
const NO_RECORD = Buffer.alloc(8);

export class FastCgiConnection extends Connection implements SessionDelegate {
  readonly #session: ServerSession;
  #first = -1;
  #receiving = false;
  /** True where a response was broken off: the connection ends without its END_REQUEST, once the others are done. */
  #broken = false;
  /** True once a response has been sent as the last one. */
  #retired = false;
  /** True while reading stops because the peer does not read our replies. */
  #repliesHold = false;
  /** Responses that are complete but for their END_REQUEST, and since which tick. */
  #held: Map<FastCgiExchange, number> | null = null;

  constructor(socket: Socket, context: ConnectionContext) {
    super(socket, context);
    this.#session = new ServerSession(
      {
        maxParams: context.wire.maxParams,
        maxRequests: context.wire.maxRequestsPerConnection,
        maxConnections: MAX_CONNECTIONS,
        multiplex: context.wire.multiplex,
        roles: context.roles,
        inputReused: this.inputReused,
      },
      this,
    );
  }

  get active(): number {
    return this.#session.activeCount;
  }

  get serving(): boolean {
    return this.#session.requests().some(({ dispatched }) => dispatched);
  }

  get atBoundary(): boolean {
    return this.open && this.#session.atBoundary && this.socket.writableLength === 0;
  }

  onRequest(request: ServerRequest): void {
    const exchange = new FastCgiExchange(this, this.context, request);
    request.receiver = exchange;
    if (request.params.method === "") {
      exchange.stderr(
        "gwpm: the front end sent no REQUEST_METHOD; its FastCGI parameters are not configured",
      );
      exchange.head(encodeHead(400, undefined, ["Content-Type", "text/plain"]));
      exchange.end("Bad Request\n");
      return;
    }
    this.dispatch(exchange);
  }

  onReply(records: Buffer): void {
    if (!this.open) return;
    if (this.send(records) || this.#repliesHold) return;
    // Whoever asks without reading the answers is read no further: they would pile up here.
    this.#repliesHold = true;
    this.hold();
  }

  onRefused(_error: ProtocolError): void {
    // The front end has been answered and logs it.
  }

  override onTick(now: number): void {
    for (const [exchange, since] of this.#held ?? [])
      if (now - since >= HOLD_TICKS) this.#releaseEnd(exchange);
    super.onTick(now);
  }

  /** For exchanges: whether END_REQUEST needs more thought than that of a usual response. */
  endIsSpecial(exchange: FastCgiExchange): boolean {
    return this.draining || this.#broken || !exchange.request.stdinEnded;
  }

  /** For exchanges: the whole response at once; a string is latin1. */
  sendResponse(exchange: FastCgiExchange, bytes: Buffer | string, done: WriteCallback | undefined): void {
    if (typeof bytes === "string") this.sendText(bytes, done);
    else this.send(bytes, done);
    this.#finished(exchange);
  }

  /** For exchanges: part of the response. */
  sendRecords(records: readonly Buffer[], done?: WriteCallback): void {
    if (records.length === 0) {
      if (done !== undefined) process.nextTick(done);
    } else if (records.length === 1) {
      this.send(records[0]!, done);
    } else {
      this.sendAll(records, done);
    }
  }

  /** For exchanges: the last records of the response, and the ends of its streams. */
  sendEnd(
    exchange: FastCgiExchange,
    records: readonly Buffer[],
    ends: readonly Buffer[],
    done: WriteCallback | undefined,
  ): void {
    const { request } = exchange;
    if (!request.stdinEnded && request.params.get("SERVER_SOFTWARE")?.startsWith("HAProxy")) {
      // HAProxy stalls an upload whose END_REQUEST comes early; nginx would deadlock with a late one.
      this.sendRecords([...records, ...ends], done);
      this.#held ??= new Map();
      this.#held.set(exchange, this.context.clock.now);
      this.context.clock.watch(this);
      return;
    }
    // In one piece: what retires an nginx connection must be there when it sees END_REQUEST.
    this.sendRecords([...records, Buffer.concat([...ends, ...this.#endRecords(request)])], done);
    this.#finished(exchange);
  }

  /** For exchanges: the front end has sent the whole body. */
  stdinEnded(exchange: FastCgiExchange): void {
    if (this.#held?.has(exchange)) this.#releaseEnd(exchange);
  }

  /** For exchanges: no END_REQUEST will follow. */
  breakOff(exchange: FastCgiExchange): void {
    this.#broken = true;
    this.#finished(exchange);
  }

  protected receive(chunk: Buffer, size: number): void {
    if (this.#first < 0) this.#first = chunk[0]!;
    this.#receiving = true;
    try {
      this.#session.push(chunk, size);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#violated(error);
    } finally {
      this.#receiving = false;
    }
    this.#settle();
  }

  protected peerEnded(): void {
    const unanswered = this.#session
      .requests()
      .some(({ receiver }) => receiver === null || !(receiver as FastCgiExchange).ended);
    try {
      this.#session.end();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    // What has been answered is still delivered.
    if (unanswered) this.destroy();
    else this.linger();
  }

  protected lost(): void {
    this.#session.abortAll();
    this.#held = null;
  }

  protected onWritable(): void {
    if (this.#repliesHold) {
      this.#repliesHold = false;
      this.release();
    }
    for (const { receiver } of this.#session.requests()) (receiver as FastCgiExchange | null)?.writable();
  }

  #violated(error: ProtocolError): void {
    const hint = wrongProtocolHint(this.#first, "FastCGI");
    this.context.log(hint ?? `gwpm: closed a FastCGI connection: ${error.message}`);
    this.destroy();
  }

  #finished(exchange: FastCgiExchange): void {
    this.#session.finish(exchange.request);
    if (!this.#receiving) this.#settle();
  }

  /** Ends the connection where its last response has been sent. Called after a chunk, in which another request may have begun. */
  #settle(): void {
    if (this.active > 0 || !this.open) return;
    if (this.#broken) this.send(NO_RECORD);
    if (this.#broken || this.#retired || this.#session.closing) this.linger();
    else if (this.draining) this.handOver();
  }

  /** END_REQUEST, in the form that the front end takes as "not again" where this is the connection's last response. */
  #endRecords(request: ServerRequest): Buffer[] {
    const retirement = this.#retirement(request);
    const end = encodeEndRequest(request.id, retirementStatus(retirement));
    return retirement === "nginx" ? [end, encodeEndOfStream(Type.STDERR, request.id)] : [end];
  }

  #retirement(request: ServerRequest): Retirement {
    if (!this.draining && !this.#broken) return "none";
    // With several requests active the moment to hand over may never come; then this worker takes no more of them.
    const onlyOne = this.active === 1 && !this.#retired && !this.#broken;
    if (onlyOne && this.willBeHandedOver) return "none";
    this.#retired = true;
    // Without KEEP_CONN the front end knows already.
    if (this.#session.closing) return "none";
    return retirementFor(request.params.get("SERVER_SOFTWARE"), this.active > 1);
  }

  #releaseEnd(exchange: FastCgiExchange): void {
    this.#held?.delete(exchange);
    if (!this.open) return;
    this.sendRecords([Buffer.concat(this.#endRecords(exchange.request))]);
    this.#finished(exchange);
  }
}
