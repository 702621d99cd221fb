/** Cuts a byte stream into FastCGI records (specification, section 3.3), whatever pieces it arrives in. */

import { ProtocolError } from "../error.ts";
import { HEADER_LENGTH, VERSION } from "./constants.ts";

/** Receives records; content is passed on as it arrives and never held back until a record is whole. */
export interface RecordSink {
  /** A header has been read. @returns false to stop decoding for good */
  onRecord(type: number, id: number, contentLength: number): boolean;
  /** `chunk[start…end)` is the next part of the current record's content, `last` its final one. @returns false to stop for good */
  onContent(chunk: Buffer, start: number, end: number, last: boolean): boolean;
}

export class RecordDecoder {
  readonly #sink: RecordSink;
  /** The bytes of a header that was cut between two chunks. */
  readonly #stash = Buffer.alloc(HEADER_LENGTH);
  #stashed = 0;
  #contentLeft = 0;
  #paddingLeft = 0;
  #stopped = false;

  constructor(sink: RecordSink) {
    this.#sink = sink;
  }

  /** True between records: a stream that ends here was not cut off. */
  get atBoundary(): boolean {
    return this.#stashed === 0 && this.#contentLeft === 0 && this.#paddingLeft === 0;
  }

  /**
   * Decodes the first `size` bytes of `chunk`; bytes after a stop are ignored.
   * @throws ProtocolError `FCGI_BAD_VERSION`, already on the first byte of a record
   */
  push(chunk: Buffer, size = chunk.length): void {
    let at = 0;
    while (at < size && !this.#stopped) {
      if (this.#contentLeft > 0) {
        at = this.#content(chunk, at, size);
      } else if (this.#paddingLeft > 0) {
        const skipped = Math.min(this.#paddingLeft, size - at);
        this.#paddingLeft -= skipped;
        at += skipped;
      } else if (this.#stashed === 0 && size - at >= HEADER_LENGTH) {
        this.#header(chunk, at);
        at += HEADER_LENGTH;
      } else {
        at = this.#partialHeader(chunk, at, size);
      }
    }
  }

  #content(chunk: Buffer, at: number, size: number): number {
    const end = Math.min(at + this.#contentLeft, size);
    this.#contentLeft -= end - at;
    if (!this.#sink.onContent(chunk, at, end, this.#contentLeft === 0)) this.#stopped = true;
    return end;
  }

  #partialHeader(chunk: Buffer, at: number, size: number): number {
    const end = Math.min(at + HEADER_LENGTH - this.#stashed, size);
    chunk.copy(this.#stash, this.#stashed, at, end);
    this.#stashed += end - at;
    checkVersion(this.#stash[0]!);
    if (this.#stashed === HEADER_LENGTH) {
      this.#stashed = 0;
      this.#header(this.#stash, 0);
    }
    return end;
  }

  #header(bytes: Buffer, at: number): void {
    checkVersion(bytes[at]!);
    // Content and padding are set before the sink runs: it may ask for `atBoundary`. Byte 7 is reserved and ignored.
    this.#contentLeft = (bytes[at + 4]! << 8) | bytes[at + 5]!;
    this.#paddingLeft = bytes[at + 6]!;
    if (!this.#sink.onRecord(bytes[at + 1]!, (bytes[at + 2]! << 8) | bytes[at + 3]!, this.#contentLeft)) {
      this.#stopped = true;
    }
  }
}

function checkVersion(version: number): void {
  if (version !== VERSION) {
    throw new ProtocolError(
      "FCGI_BAD_VERSION",
      `Expected a FastCGI record of version 1, got first byte ${version}`,
    );
  }
}
