/** The client side of a FastCGI connection: what comes back for one request at a time, and for GET_VALUES. Without a socket. */

import { ByteCollector } from "../byte-collector.ts";
import { type ResponseHead, ResponseHeadDecoder } from "../cgi/response-head-decoder.ts";
import { ProtocolError, type ProtocolErrorCode } from "../error.ts";
import { ProtocolStatus, Type } from "./constants.ts";
import { RecordDecoder, type RecordSink } from "./decoder.ts";
import { PairCursor } from "./name-values.ts";

/** How a response ended. */
export interface ResponseEnd {
  readonly appStatus: number;
  readonly protocolStatus: number;
  /** True where the response arrived whole, as far as FastCGI can tell. */
  readonly complete: boolean;
  /** Why there is no usable response, or none to rely on. */
  readonly error: ProtocolError | null;
}

export interface ResponseSink {
  onHead(head: ResponseHead): void;
  onBody(chunk: Buffer): void;
  onStderr(chunk: Buffer): void;
  /** Once, last. The connection may be used again where `complete` is true, KEEP_CONN was set and `protocolStatus` is 0. */
  onEnd(end: ResponseEnd): void;
}

/** Reads the responses of one connection. Set {@link request} before each request is sent. */
export class FastCgiClient implements RecordSink {
  readonly #decoder = new RecordDecoder(this);
  readonly #maxHead: number | undefined;
  #response: ResponseReader | null = null;
  #id = 0;
  #values: ((values: Map<string, string> | null) => void) | null = null;
  #type = 0;
  #whole = new ByteCollector();

  /** @param maxHead the longest response head, in bytes */
  constructor(maxHead?: number) {
    this.#maxHead = maxHead;
  }

  /** True between responses, with nothing read of a next one: the connection can be used again. */
  get atBoundary(): boolean {
    return this.#response === null && this.#decoder.atBoundary;
  }

  /** Expects the response to request `id`; records of other ids are skipped. */
  expect(id: number, sink: ResponseSink): void {
    this.#id = id;
    this.#response = new ResponseReader(sink, this.#maxHead);
  }

  /** Expects the answer to GET_VALUES: `null` where the server does not know the question (`FCGI_UNSUPPORTED`). */
  expectValues(answer: (values: Map<string, string> | null) => void): void {
    this.#values = answer;
  }

  /** @throws ProtocolError where what arrived is not FastCGI; the connection is of no use any more */
  push(chunk: Buffer): void {
    this.#decoder.push(chunk);
  }

  /** The connection has ended. A response that was not complete ends with an error. */
  end(): void {
    const response = this.#response;
    this.#response = null;
    response?.cutOff();
  }

  onRecord(type: number, id: number, length: number): boolean {
    this.#type = 0;
    if (id === 0 && (type === Type.GET_VALUES_RESULT || type === Type.UNKNOWN_TYPE)) {
      this.#type = type;
    } else if (this.#response !== null && id === this.#id) {
      if (type === Type.STDOUT || type === Type.STDERR || type === Type.END_REQUEST) this.#type = type;
      if (type === Type.STDOUT && length === 0) this.#response.stdoutEnd();
    }
    if (length === 0 && this.#type !== Type.STDOUT && this.#type !== Type.STDERR) this.#wholeRecord();
    return true;
  }

  onContent(chunk: Buffer, start: number, end: number, last: boolean): boolean {
    const part = chunk.subarray(start, end);
    if (this.#type === Type.STDOUT) this.#response!.stdout(part);
    else if (this.#type === Type.STDERR) this.#response!.stderr(part);
    else if (this.#type !== 0) this.#whole.add(part);
    if (last) this.#wholeRecord();
    return true;
  }

  #wholeRecord(): void {
    const content = this.#whole.take();
    if (this.#type === Type.END_REQUEST) {
      const response = this.#response!;
      this.#response = null;
      response.endRequest(content);
    } else if (this.#type === Type.GET_VALUES_RESULT) {
      this.#answerValues(parseValues(content));
    } else if (this.#type === Type.UNKNOWN_TYPE && content[0] === Type.GET_VALUES) {
      this.#answerValues(null);
    }
    this.#type = 0;
  }

  #answerValues(values: Map<string, string> | null): void {
    const answer = this.#values;
    this.#values = null;
    answer?.(values);
  }
}

/** STDOUT as a CGI response, and the verdict at its end. */
class ResponseReader {
  readonly #sink: ResponseSink;
  #head: ResponseHeadDecoder | null;
  #stdoutEnded = false;
  #error: ProtocolError | null = null;

  constructor(sink: ResponseSink, maxHead: number | undefined) {
    this.#sink = sink;
    this.#head = new ResponseHeadDecoder(maxHead);
  }

  stdout(chunk: Buffer): void {
    // After the end of the stream there is nothing more to a response, whatever a server sends.
    if (this.#stdoutEnded || this.#error !== null) return;
    if (this.#head === null) {
      this.#sink.onBody(chunk);
      return;
    }
    try {
      const result = this.#head.push(chunk);
      if (result === null) return;
      this.#head = null;
      this.#sink.onHead(result.head);
      if (result.body.length > 0) this.#sink.onBody(result.body);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.#error = error;
    }
  }

  stdoutEnd(): void {
    this.#stdoutEnded = true;
  }

  stderr(chunk: Buffer): void {
    this.#sink.onStderr(chunk);
  }

  endRequest(content: Buffer): void {
    if (content.length !== 8) {
      this.#finish(
        0,
        0,
        new ProtocolError("FCGI_BAD_END", `END_REQUEST has ${content.length} bytes of content, not 8`),
      );
      return;
    }
    const protocolStatus = content[4]!;
    this.#finish(content.readUInt32BE(0), protocolStatus, this.#error ?? this.#missingHead(protocolStatus));
  }

  cutOff(): void {
    const error =
      this.#head === null
        ? new ProtocolError("FCGI_TRUNCATED", "The connection ended before END_REQUEST")
        : (this.#error ?? this.#missingHead(ProtocolStatus.REQUEST_COMPLETE));
    this.#finish(0, 0, error);
  }

  #missingHead(protocolStatus: number): ProtocolError | null {
    if (this.#head === null) return null;
    const refusal = REFUSALS[protocolStatus];
    if (refusal !== undefined && !this.#head.started) {
      return new ProtocolError(refusal, `The server refused the request: ${refusal}`);
    }
    return new ProtocolError("CGI_TRUNCATED_HEADERS", "The response ended before the end of its head");
  }

  #finish(appStatus: number, protocolStatus: number, error: ProtocolError | null): void {
    this.#sink.onEnd({ appStatus, protocolStatus, complete: error === null, error });
  }
}

const REFUSALS: Readonly<Record<number, ProtocolErrorCode>> = {
  [ProtocolStatus.CANT_MPX_CONN]: "FCGI_CANT_MPX_CONN",
  [ProtocolStatus.OVERLOADED]: "FCGI_OVERLOADED",
  [ProtocolStatus.UNKNOWN_ROLE]: "FCGI_UNKNOWN_ROLE",
};

function parseValues(content: Buffer): Map<string, string> {
  const values = new Map<string, string>();
  const text = content.toString("latin1");
  const cursor = new PairCursor(text);
  while (cursor.next()) {
    values.set(
      text.slice(cursor.nameStart, cursor.valueStart),
      text.slice(cursor.valueStart, cursor.valueEnd),
    );
  }
  return values;
}
