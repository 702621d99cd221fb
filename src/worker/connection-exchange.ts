/** One request on a wire connection, as its handler sees it. What FastCGI and SCGI do differently is left to the subclasses. */

import { Buffer } from "node:buffer";
import { encodeHead, headContentLength, headStatus } from "../protocol/cgi/response-head.ts";
import type { Params } from "../protocol/params.ts";
import type { Connection, WriteCallback } from "./connection.ts";
import { RequestBody } from "./connection-body.ts";
import type { ConnectionContext, RequestObserver } from "./connection-context.ts";
import type { BodySink, Exchange, ExchangeOutcome } from "./exchange.ts";

/** What is written is gathered up to here within a turn of the event loop; a response of no more is copied into one buffer. */
export const GATHER_BYTES = 16 * 1024;
const EMPTY = Buffer.alloc(0);
/** Never added to. */
const NOTHING: Buffer[] = [];

export abstract class WireExchange implements Exchange {
  abstract readonly protocol: "fastcgi" | "scgi";
  abstract readonly role: "responder" | "authorizer" | "filter";
  readonly params: Params;
  readonly bodyEmpty: boolean;
  aborted = false;
  ended = false;
  onAbort: (() => void) | null = null;
  onDrain: (() => void) | null = null;
  status = 0;

  protected readonly connection: Connection;
  readonly #context: ConnectionContext;
  readonly #method: string;
  /** `null` before it is set and after it has been sent. */
  #head: string | null = null;
  #headSent = false;
  /** False where the response has no body (HEAD, 204, 304), whatever the handler writes. */
  #bodyAllowed = true;
  /** How many bytes of the promised Content-Length are still to come; -1 where none was promised. */
  #promised = -1;
  #chunks: Buffer[] = NOTHING;
  #gathered = 0;
  #callbacks: WriteCallback[] | null = null;
  #flushQueued = false;
  #needDrain = false;
  /** The body's length as announced; 0 where it is not known. */
  readonly #expected: number;
  #received = 0;
  /** Made when the body turns out to have something in it. */
  #body: RequestBody | null = null;
  /** True where the observer has been told, and `#token` is its answer. */
  #observed = false;
  #token = 0;

  /**
   * @param bodyLength as announced, in bytes; 0 where it is not known
   * @param bodyComplete true where a body without content has already ended
   */
  constructor(
    connection: Connection,
    context: ConnectionContext,
    params: Params,
    method: string,
    bodyLength: number,
    bodyComplete: boolean,
  ) {
    this.connection = connection;
    this.#context = context;
    this.params = params;
    this.#method = method;
    this.#expected = bodyLength;
    this.bodyEmpty = bodyComplete && bodyLength === 0;
    if (!this.bodyEmpty) this.#body = new RequestBody(connection);
    if (bodyComplete) this.endBody();
  }

  get peerAddress(): string {
    return this.connection.peerAddress;
  }

  get headSet(): boolean {
    return this.#head !== null || this.#headSent;
  }

  takeBody(sink: BodySink): void {
    if (this.#body === null) sink.onEnd();
    else this.#body.take(sink);
  }

  resumeBody(): void {
    this.#body?.resume();
  }

  abstract takeData(sink: BodySink): void;
  abstract resumeData(): void;
  abstract stderr(text: string): void;

  head(text: string): void {
    if (this.headSet) throw new Error("The head of this response has been set already");
    if (this.ended || this.aborted) return;
    this.#head = text;
    this.status = headStatus(text);
    this.#bodyAllowed = this.#method !== "HEAD" && this.status !== 204 && this.status !== 304;
    if (this.#bodyAllowed) this.#promised = headContentLength(text);
    // During the handler's first call the connection looks after it: nearly always the response ends there.
    if (!this.connection.dispatching) this.queueFlush();
  }

  write(chunk: Buffer | string, encoding?: BufferEncoding, done?: WriteCallback): boolean {
    if (this.ended || this.aborted) {
      if (done !== undefined) process.nextTick(done, gone());
      return true;
    }
    if (!this.headSet) throw new Error("A response's body was written before its head was set");
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk;
    if (this.#promised >= 0 && bytes.length > this.#promised) {
      this.#overrun(bytes, done);
      return true;
    }
    this.#gather(bytes, done);
    if (this.#gathered >= GATHER_BYTES) this.flush();
    else this.queueFlush();
    if (!this.connection.blocked) return true;
    this.#needDrain = true;
    return false;
  }

  end(chunk: Buffer | string = EMPTY, encoding?: BufferEncoding, done?: WriteCallback): void {
    if (this.ended || this.aborted) {
      if (done !== undefined) process.nextTick(done, gone());
      return;
    }
    if (!this.headSet) throw new Error("A response was ended before its head was set");
    const size = typeof chunk === "string" ? Buffer.byteLength(chunk, encoding) : chunk.length;
    if (this.#promised >= 0 && size !== this.#promised) {
      this.#endMismatched(chunk, encoding, size, done);
    } else if (this.#head !== null && this.#chunks.length === 0 && this.#head.length + size <= GATHER_BYTES) {
      this.#endSmall(this.#head, chunk, encoding, size, done);
    } else {
      this.#gather(typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk, done);
      this.ended = true;
      this.#transmit(true);
      this.#settled("complete");
    }
  }

  fail(reason: string): void {
    if (this.ended || this.aborted) return;
    this.stderr(`gwpm: response broken off: ${reason}`);
    if (this.#headSent) {
      this.#breakOff();
      return;
    }
    // Nothing has been sent: an honest error serves the client better than half an answer.
    this.#chunks = NOTHING;
    this.#gathered = 0;
    this.status = 500;
    const body = this.#method === "HEAD" ? "" : "Internal Server Error\n";
    this.ended = true;
    const callbacks = this.#takeCallbacks();
    this.respond(
      encodeHead(500, undefined, ["Content-Type", "text/plain"]),
      body,
      "latin1",
      body.length,
      callbacks,
    );
    this.#settled("failed");
  }

  /** For the connection: the handler is about to be called. */
  observe(observer: RequestObserver): void {
    this.#observed = true;
    this.#token = observer.requestStarted(this.#method, this.params.get("REQUEST_URI") ?? "");
  }

  /** Sends what has been gathered. */
  flush(): void {
    this.#flushQueued = false;
    if (!this.ended && !this.aborted && (this.#head !== null || this.#chunks.length > 0))
      this.#transmit(false);
  }

  /** For the connection: the handler has returned, and there may be something to send. */
  queueFlush(): void {
    if (this.#flushQueued || this.ended || !this.headSet) return;
    this.#flushQueued = true;
    this.#context.flusher.add(this);
  }

  /** For the connection: a part of the body has arrived. */
  receiveBody(chunk: Buffer): void {
    this.#received += chunk.length;
    this.#body?.push(chunk);
  }

  /** For the connection: the body is over. */
  endBody(): void {
    // More than was announced is all right: older HAProxy counted only what it had buffered.
    const isShort = this.#received < this.#expected;
    this.#body?.end(isShort ? shortBody(this.#received, this.#expected) : undefined);
  }

  /** For the connection: the front end has gone away or given the request up. */
  abort(): void {
    if (this.ended || this.aborted) return;
    this.aborted = true;
    this.#chunks = NOTHING;
    this.#head = null;
    for (const callback of this.#callbacks ?? []) process.nextTick(callback, gone());
    this.#callbacks = null;
    this.#settled("aborted");
    this.onAbort?.();
  }

  /** For the connection: the peer reads again. */
  writable(): void {
    if (!this.#needDrain) return;
    this.#needDrain = false;
    this.onDrain?.();
  }

  /** Sends a whole small response: `head`, then `body`, which is `size` bytes long. */
  protected abstract respond(
    head: string,
    body: Buffer | string,
    encoding: BufferEncoding | undefined,
    size: number,
    done: WriteCallback | undefined,
  ): void;
  /** Sends a part of the response, as it is to be framed; `last` completes it. */
  protected abstract transmit(parts: readonly Buffer[], last: boolean, done: WriteCallback | undefined): void;
  /** Leaves the response as it is, incomplete, in a way that the front end notices. */
  protected abstract breakOff(): void;
  /** The streams of the request are of no more interest. */
  protected discardInput(): void {
    this.#body?.discard();
  }

  #endSmall(
    head: string,
    chunk: Buffer | string,
    encoding: BufferEncoding | undefined,
    size: number,
    done: WriteCallback | undefined,
  ): void {
    this.ended = true;
    this.#head = null;
    this.#headSent = true;
    if (this.#bodyAllowed) this.respond(head, chunk, encoding, size, done);
    else this.respond(head, EMPTY, undefined, 0, done);
    this.#settled("complete");
  }

  /** The body is not as long as its Content-Length said. */
  #endMismatched(
    chunk: Buffer | string,
    encoding: BufferEncoding | undefined,
    size: number,
    done: WriteCallback | undefined,
  ): void {
    const bytes = typeof chunk === "string" ? Buffer.from(chunk, encoding) : chunk;
    if (size > this.#promised) {
      this.#overrun(bytes, done);
      return;
    }
    const missing = this.#promised - size;
    this.#gather(bytes, done);
    this.fail(`its body is ${missing} bytes shorter than the Content-Length that it promised`);
  }

  /** Cuts the body at the promised length, which is all that the front end could deliver, and breaks off. */
  #overrun(bytes: Buffer, done: WriteCallback | undefined): void {
    const excess = bytes.length - this.#promised;
    this.#gather(bytes.subarray(0, this.#promised), done);
    this.flush();
    this.fail(`its body is at least ${excess} bytes longer than the Content-Length that it promised`);
  }

  #gather(bytes: Buffer, done: WriteCallback | undefined): void {
    if (done !== undefined) {
      if (this.#callbacks === null) this.#callbacks = [done];
      else this.#callbacks.push(done);
    }
    if (!this.#bodyAllowed || bytes.length === 0) return;
    if (this.#chunks === NOTHING) this.#chunks = [bytes];
    else this.#chunks.push(bytes);
    this.#gathered += bytes.length;
    if (this.#promised >= 0) this.#promised -= bytes.length;
  }

  #transmit(last: boolean): void {
    const parts = this.#head === null ? this.#chunks : [Buffer.from(this.#head, "latin1"), ...this.#chunks];
    this.#head = null;
    this.#headSent = true;
    this.#chunks = NOTHING;
    this.#gathered = 0;
    this.transmit(parts, last, this.#takeCallbacks());
  }

  #takeCallbacks(): WriteCallback | undefined {
    const callbacks = this.#callbacks;
    if (callbacks === null) return undefined;
    this.#callbacks = null;
    if (callbacks.length === 1) return callbacks[0];
    return (error) => {
      for (const callback of callbacks) callback(error);
    };
  }

  #breakOff(): void {
    if (this.#chunks.length > 0) this.#transmit(false);
    this.ended = true;
    this.breakOff();
    this.#settled("failed");
  }

  #settled(outcome: ExchangeOutcome): void {
    this.discardInput();
    if (this.#observed) this.#context.observer?.requestEnded(this.#token, this.status, outcome === "failed");
  }
}

function gone(): Error {
  return Object.assign(new Error("The response is over: it was ended, or the front end has gone away"), {
    code: "ECONNRESET",
  });
}

function shortBody(received: number, expected: number): Error {
  const message = `The request body ended after ${received} of ${expected} bytes`;
  return Object.assign(new Error(message), { code: "ECONNRESET" });
}
