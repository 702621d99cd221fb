/** One request on the wire, and its answer read back: the difference between FastCGI and SCGI. */

import { ResponseHeadDecoder } from "../protocol/cgi/response-head-decoder.ts";
import { ProtocolError } from "../protocol/error.ts";
import { FastCgiClient, type ResponseSink } from "../protocol/fastcgi/client.ts";
import { Role, Type } from "../protocol/fastcgi/constants.ts";
import {
  encodeBeginRequest,
  encodeEndOfStream,
  encodeParams,
  encodeStream,
} from "../protocol/fastcgi/encode.ts";
import { encodeScgiHead } from "../protocol/scgi/encode.ts";

export interface Wire {
  /** Everything before the body. */
  opening(variables: Iterable<readonly [name: string, value: string]>): Buffer;
  /** Whether a request cannot do without CONTENT_LENGTH. */
  readonly needsLength: boolean;
  /** A part of the body. */
  frame(chunk: Buffer): readonly Buffer[];
  /** What ends the body. */
  readonly closing: readonly Buffer[];
  /** @throws ProtocolError where the bytes are not the protocol */
  push(chunk: Buffer): void;
  /** The upstream has closed the connection. Calls `onEnd`, unless it was called before. */
  closed(): void;
  /** Whether the last byte of Content-Length ends the response, so that there is no need to wait for the connection to be closed. */
  readonly endsWithLength: boolean;
  /** After the end: whether the bytes read so far leave the connection fit for another request. */
  readonly reusable: boolean;
}

/** There is one request at a time on each connection, always of this id. */
const ID = 1;

/** Notices records that follow the response: a worker's way to say that the connection is not to be used again, and nothing to build upon. */
class SingleResponse extends FastCgiClient {
  #ended = false;
  overrun = false;

  override onRecord(type: number, id: number, length: number): boolean {
    if (this.#ended) this.overrun = true;
    if (type === Type.END_REQUEST && id === ID) this.#ended = true;
    return super.onRecord(type, id, length);
  }
}

export class FastCgiWire implements Wire {
  readonly #client = new SingleResponse();
  readonly #keepConnection: boolean;
  readonly needsLength = false;
  readonly closing = [encodeEndOfStream(Type.STDIN, ID)];
  readonly endsWithLength = false;

  constructor(sink: ResponseSink, keepConnection: boolean) {
    this.#keepConnection = keepConnection;
    this.#client.expect(ID, sink);
  }

  opening(variables: Iterable<readonly [string, string]>): Buffer {
    return Buffer.concat([
      encodeBeginRequest(ID, Role.RESPONDER, this.#keepConnection),
      encodeParams(ID, variables),
    ]);
  }

  frame(chunk: Buffer): readonly Buffer[] {
    return encodeStream(Type.STDIN, ID, chunk);
  }

  push(chunk: Buffer): void {
    this.#client.push(chunk);
  }

  closed(): void {
    this.#client.end();
  }

  get reusable(): boolean {
    return this.#keepConnection && this.#client.atBoundary && !this.#client.overrun;
  }
}

export class ScgiWire implements Wire {
  readonly #sink: ResponseSink;
  #head: ResponseHeadDecoder | null = new ResponseHeadDecoder();
  readonly needsLength = true;
  readonly closing = [];
  readonly endsWithLength = true;
  readonly reusable = false;

  constructor(sink: ResponseSink) {
    this.#sink = sink;
  }

  opening(variables: Iterable<readonly [string, string]>): Buffer {
    return encodeScgiHead(variables);
  }

  frame(chunk: Buffer): readonly Buffer[] {
    return [chunk];
  }

  push(chunk: Buffer): void {
    if (this.#head === null) {
      this.#sink.onBody(chunk);
      return;
    }
    const result = this.#head.push(chunk);
    if (result === null) return;
    this.#head = null;
    this.#sink.onHead(result.head);
    if (result.body.length > 0) this.#sink.onBody(result.body);
  }

  closed(): void {
    const error =
      this.#head === null
        ? null
        : new ProtocolError("CGI_TRUNCATED_HEADERS", "The response has no complete head");
    this.#sink.onEnd({ appStatus: 0, protocolStatus: 0, complete: error === null, error });
  }
}
