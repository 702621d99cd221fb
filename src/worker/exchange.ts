/**
 * One request and its response on the wire, whichever the protocol: the seam between a connection, which knows
 * FastCGI or SCGI, and the handler tiers (`gateway`, node:http-compatible, fetch), which do not.
 */

import type { Params } from "../protocol/params.ts";

/** Receives the request body. Called synchronously from the connection's read; `chunk` may be kept (it is not reused). */
export interface BodySink {
  /** @returns false to ask for a pause; call {@link Exchange.resumeBody} when there is room again */
  onChunk(chunk: Buffer): boolean;
  /**
   * The body is over. `error` is set where the front end ended it before the CONTENT_LENGTH it had announced (FastCGI §6.2): the
   * handler must see an error, not a clean end, though a response can still be sent. After an abort there is no call at all.
   */
  onEnd(error?: Error): void;
}

export interface Exchange {
  /** `http` where an HTTP pool adapts its requests to a handler of another form. */
  readonly protocol: "fastcgi" | "scgi" | "http";
  readonly role: "responder" | "authorizer" | "filter";
  /** The CGI variables, decoded on demand. */
  readonly params: Params;
  /** The front end's end of the connection: an IP address, or "" on a Unix socket. */
  readonly peerAddress: string;

  /** True once the front end has gone away or sent ABORT_REQUEST; from then on writes are dropped. */
  readonly aborted: boolean;
  /** Called once, when `aborted` becomes true. Never called after the response is complete. */
  onAbort: (() => void) | null;

  /** True when the whole body has already arrived and is empty: no sink needed. */
  readonly bodyEmpty: boolean;
  /** Hands over the body, at once where bytes have arrived. Set at most once; a body that nobody takes is discarded after the response. */
  takeBody(sink: BodySink): void;
  resumeBody(): void;
  /** The file that a FastCGI filter is to transform (FCGI_DATA), which follows the body; empty in the other roles. Set at most once. */
  takeData(sink: BodySink): void;
  resumeData(): void;

  /**
   * Sets the CGI response head: `Status: 200 OK\r\nContent-Type: …\r\n\r\n`, latin1, from `encodeHead`. Sent with the first body bytes,
   * or at the end of the tick. Must be called once, before `write` and `end`.
   */
  head(text: string): void;
  /** True once `head` has been called. */
  readonly headSet: boolean;
  /** The status in the head, 0 before it is set. */
  readonly status: number;
  /** @returns false when the peer reads too slowly: wait for `onDrain`. `done` is called when the bytes have been handed to the kernel. */
  write(chunk: Buffer | string, encoding?: BufferEncoding, done?: (error?: Error | null) => void): boolean;
  /** Ends the response; a small one (no earlier write) goes out in a single write. */
  end(chunk?: Buffer | string, encoding?: BufferEncoding, done?: (error?: Error | null) => void): void;
  /** True once `end` or `fail` has been called. */
  readonly ended: boolean;
  onDrain: (() => void) | null;
  /** Breaks the response off so that the front end sees it as incomplete (the body is shorter than was promised, the handler threw halfway). */
  fail(reason: string): void;
  /** One message to the front end's error log: FCGI_STDERR; on SCGI the worker's own stderr. */
  stderr(text: string): void;
}

/** How a request was over for its connection. `complete`: the response was ended; `failed`: it was broken off by `fail`; `aborted`: the front end went away before the end. */
export type ExchangeOutcome = "complete" | "failed" | "aborted";

/** Serves one request; given to a connection when it is made. It must not throw. */
export type ExchangeHandler = (exchange: Exchange) => void;
