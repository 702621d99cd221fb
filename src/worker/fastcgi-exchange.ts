/** A request on a FastCGI connection: frames the response as STDOUT records. */

import { Type } from "../protocol/fastcgi/constants.ts";
import {
  encodeEndOfStream,
  encodeRecord,
  encodeStream,
  MAX_ALIGNED_CONTENT,
  paddingOf,
  stdoutHeaderText,
  TRAILER_LENGTH,
  trailerText,
  writeHeader,
  writePadding,
  writeTrailer,
} from "../protocol/fastcgi/encode.ts";
import type { RequestReceiver, RoleName, ServerRequest } from "../protocol/fastcgi/session.ts";
import type { WriteCallback } from "./connection.ts";
import { RequestBody } from "./connection-body.ts";
import type { ConnectionContext } from "./connection-context.ts";
import { GATHER_BYTES, WireExchange } from "./connection-exchange.ts";
import type { BodySink } from "./exchange.ts";
import type { FastCgiConnection } from "./fastcgi-connection.ts";

const HEADER_LENGTH = 8;
/** Encodings in which a text that takes as many bytes as characters is the same as latin1. */
const ASCII_ALIKE: ReadonlySet<string> = new Set(["utf8", "utf-8", "latin1", "binary", "ascii"]);

export class FastCgiExchange extends WireExchange implements RequestReceiver {
  readonly protocol = "fastcgi";
  readonly request: ServerRequest;
  declare protected readonly connection: FastCgiConnection;
  /** FCGI_DATA, of filters only. */
  readonly #data: RequestBody | null;
  #stderrUsed = false;

  constructor(connection: FastCgiConnection, context: ConnectionContext, request: ServerRequest) {
    const { params } = request;
    super(connection, context, params, params.method, params.bodyLength, request.stdinEnded);
    this.request = request;
    this.#data = request.role === "filter" ? new RequestBody(connection) : null;
  }

  get role(): RoleName {
    return this.request.role;
  }

  takeData(sink: BodySink): void {
    if (this.#data === null) sink.onEnd();
    else this.#data.take(sink);
  }

  resumeData(): void {
    this.#data?.resume();
  }

  stderr(text: string): void {
    if (this.ended || this.aborted || text === "") return;
    this.#stderrUsed = true;
    this.connection.sendRecords(encodeStream(Type.STDERR, this.request.id, Buffer.from(text)));
  }

  onStdin(chunk: Buffer): void {
    this.receiveBody(chunk);
  }

  onStdinEnd(): void {
    this.endBody();
    this.connection.stdinEnded(this);
  }

  onData(chunk: Buffer): void {
    this.#data?.push(chunk);
  }

  onDataEnd(): void {
    this.#data?.end();
  }

  protected override discardInput(): void {
    super.discardInput();
    this.#data?.discard();
  }

  protected respond(
    head: string,
    body: Buffer | string,
    encoding: BufferEncoding | undefined,
    size: number,
    done: WriteCallback | undefined,
  ): void {
    const content = head.length + size;
    if (content > MAX_ALIGNED_CONTENT || this.#stderrUsed || this.connection.endIsSpecial(this)) {
      const bytes = typeof body === "string" ? Buffer.from(body, encoding) : body;
      this.transmit([Buffer.from(head, "latin1"), bytes], true, done);
      return;
    }
    const { id } = this.request;
    if (
      typeof body === "string" &&
      size === body.length &&
      (encoding === undefined || ASCII_ALIKE.has(encoding))
    ) {
      const text = stdoutHeaderText(id, content) + head + body + trailerText(id, content);
      this.connection.sendResponse(this, text, done);
      return;
    }
    const bytes = Buffer.allocUnsafe(HEADER_LENGTH + content + paddingOf(content) + TRAILER_LENGTH);
    let at = writeHeader(bytes, 0, Type.STDOUT, id, content);
    at += bytes.write(head, at, "latin1");
    at += typeof body === "string" ? bytes.write(body, at, encoding) : body.copy(bytes, at);
    writeTrailer(bytes, writePadding(bytes, at, content), id, 0);
    this.connection.sendResponse(this, bytes, done);
  }

  protected transmit(parts: readonly Buffer[], last: boolean, done: WriteCallback | undefined): void {
    const { id } = this.request;
    const records = stdoutRecords(id, parts);
    if (!last) {
      this.connection.sendRecords(records, done);
      return;
    }
    const ends = [encodeEndOfStream(Type.STDOUT, id)];
    if (this.#stderrUsed) ends.push(encodeEndOfStream(Type.STDERR, id));
    this.connection.sendEnd(this, records, ends, done);
  }

  protected breakOff(): void {
    this.connection.breakOff(this);
  }
}

/** Small parts are copied together into one record, large ones are framed as they lie. */
function stdoutRecords(id: number, parts: readonly Buffer[]): Buffer[] {
  const records: Buffer[] = [];
  let small: Buffer[] = [];
  let size = 0;
  const join = () => {
    if (size > 0)
      records.push(
        encodeRecord(Type.STDOUT, id, small.length === 1 ? small[0]! : Buffer.concat(small, size)),
      );
    small = [];
    size = 0;
  };
  for (const part of parts) {
    if (part.length > GATHER_BYTES) {
      join();
      records.push(...encodeStream(Type.STDOUT, id, part));
    } else {
      if (size + part.length > MAX_ALIGNED_CONTENT) join();
      small.push(part);
      size += part.length;
    }
  }
  join();
  return records;
}
