/** Reads one SCGI request (protocol of 2008-06-23): a netstring of CGI variables, then CONTENT_LENGTH bytes of body. */

import { ByteCollector } from "../byte-collector.ts";
import { ProtocolError } from "../error.ts";
import { ScgiParams } from "./params.ts";

export interface ScgiSink {
  onRequest(params: ScgiParams, contentLength: number): void;
  onBody(chunk: Buffer): void;
  /** Follows at once where CONTENT_LENGTH is 0. */
  onBodyEnd(): void;
}

export interface ScgiOptions {
  /** The longest header block, in bytes. */
  readonly maxHeaders: number;
  /** True where the buffer given to {@link ScgiDecoder.push} is used again: what is kept is then copied. */
  readonly inputReused: boolean;
  /** Insists on CONTENT_LENGTH being the first header, as the specification has it. @default false */
  readonly strict?: boolean;
}

/** The steps of a request, in order. */
const Step = { LENGTH: 0, HEADERS: 1, COMMA: 2, BODY: 3, DONE: 4 } as const;
type Step = (typeof Step)[keyof typeof Step];

const COLON = 58;
const COMMA = 44;
const ZERO = 48;
const DIGITS = /^[0-9]+$/;

/** The status for a peer that may be told what was wrong with its request, or `null` where it does not even speak SCGI. */
export function refusalStatus(error: ProtocolError): number | null {
  if (error.code === "SCGI_BAD_NETSTRING" || error.code === "SCGI_TRUNCATED") return null;
  return error.code === "SCGI_HEADERS_TOO_LARGE" ? 431 : 400;
}

export class ScgiDecoder {
  readonly #options: ScgiOptions;
  readonly #sink: ScgiSink;
  #step: Step = Step.LENGTH;
  #digits = 0;
  #left = 0;
  #block = new ByteCollector();

  constructor(options: ScgiOptions, sink: ScgiSink) {
    this.#options = options;
    this.#sink = sink;
  }

  /** True before the first byte. */
  get untouched(): boolean {
    return this.#step === Step.LENGTH && this.#digits === 0;
  }

  /** True once the body has arrived; what comes then is ignored. */
  get done(): boolean {
    return this.#step === Step.DONE;
  }

  /** True once the headers have been read. */
  get headersDone(): boolean {
    return this.#step >= Step.BODY;
  }

  /** Takes the first `size` bytes of `chunk`. @throws ProtocolError {@link refusalStatus} says what to answer; nothing more can be read then */
  push(chunk: Buffer, size = chunk.length): void {
    let at = 0;
    while (at < size && this.#step !== Step.DONE) {
      if (this.#step === Step.LENGTH) at = this.#length(chunk, at, size);
      else if (this.#step === Step.HEADERS) at = this.#headers(chunk, at, size);
      else if (this.#step === Step.COMMA) at = this.#comma(chunk, at);
      else at = this.#body(chunk, at, size);
    }
  }

  /** The peer will send no more. @throws ProtocolError `SCGI_TRUNCATED` inside the headers */
  end(): void {
    if (this.#step < Step.BODY && !this.untouched) {
      throw new ProtocolError("SCGI_TRUNCATED", "The connection ended inside the headers");
    }
  }

  #length(chunk: Buffer, start: number, size: number): number {
    for (let at = start; at < size; at++) {
      const byte = chunk[at]!;
      if (byte === COLON && this.#digits > 0) {
        this.#step = this.#left > 0 ? Step.HEADERS : Step.COMMA;
        return at + 1;
      }
      // "0" is the only length that may begin with a zero.
      if (byte < ZERO || byte > ZERO + 9 || (this.#digits > 0 && this.#left === 0)) {
        throw new ProtocolError(
          "SCGI_BAD_NETSTRING",
          `Expected the length of a netstring, digits and a colon, got byte ${byte} at position ${this.#digits}`,
        );
      }
      this.#left = this.#left * 10 + byte - ZERO;
      this.#digits++;
      if (this.#left > this.#options.maxHeaders) {
        throw new ProtocolError(
          "SCGI_HEADERS_TOO_LARGE",
          `The headers are longer than the limit of ${this.#options.maxHeaders} bytes`,
        );
      }
    }
    return size;
  }

  #headers(chunk: Buffer, start: number, size: number): number {
    const end = Math.min(start + this.#left, size);
    this.#block.add(this.#slice(chunk, start, end));
    this.#left -= end - start;
    if (this.#left === 0) this.#step = Step.COMMA;
    return end;
  }

  #comma(chunk: Buffer, at: number): number {
    if (chunk[at] !== COMMA) {
      throw new ProtocolError(
        "SCGI_BAD_NETSTRING",
        `Expected a comma after the headers, got byte ${chunk[at]}`,
      );
    }
    const params = new ScgiParams(this.#block.take().toString("latin1"));
    this.#left = checkHeaders(params, this.#options.strict === true);
    this.#step = this.#left > 0 ? Step.BODY : Step.DONE;
    this.#sink.onRequest(params, this.#left);
    if (this.#left === 0) this.#sink.onBodyEnd();
    return at + 1;
  }

  #body(chunk: Buffer, start: number, size: number): number {
    const end = Math.min(start + this.#left, size);
    this.#left -= end - start;
    if (this.#left === 0) this.#step = Step.DONE;
    this.#sink.onBody(this.#slice(chunk, start, end));
    if (this.#left === 0) this.#sink.onBodyEnd();
    return end;
  }

  #slice(chunk: Buffer, start: number, end: number): Buffer {
    const slice = chunk.subarray(start, end);
    return this.#options.inputReused ? Buffer.from(slice) : slice;
  }
}

/** @returns CONTENT_LENGTH */
function checkHeaders(params: ScgiParams, strict: boolean): number {
  const lengths = params
    .pairs("CONTENT_LENGTH")
    .filter((_, i, list) => i % 2 === 1 && list[i - 1] === "CONTENT_LENGTH");
  const length = lengths[0];
  if (length === undefined || !DIGITS.test(length) || !Number.isSafeInteger(Number(length))) {
    throw new ProtocolError(
      "SCGI_BAD_CONTENT_LENGTH",
      `CONTENT_LENGTH must be a number of bytes, got ${quoted(length)}`,
    );
  }
  if (lengths.some((other) => other !== length)) {
    throw new ProtocolError(
      "SCGI_BAD_CONTENT_LENGTH",
      `CONTENT_LENGTH was sent twice: ${lengths.map(quoted).join(", ")}`,
    );
  }
  if (strict && params.pairs()[0] !== "CONTENT_LENGTH") {
    throw new ProtocolError("SCGI_BAD_HEADERS", "CONTENT_LENGTH must be the first header");
  }
  // A missing SCGI header is let pass: a configuration without `include scgi_params` is the usual cause.
  const version = params.get("SCGI");
  if (version !== undefined && version !== "1") {
    throw new ProtocolError("SCGI_BAD_VERSION", `Expected the header SCGI to be "1", got ${quoted(version)}`);
  }
  return Number(length);
}

function quoted(text: string | undefined): string {
  return text === undefined ? "nothing" : JSON.stringify(text.slice(0, 40));
}
