/**
 * Reads the head of a CGI response (RFC 3875 §6) from the first bytes of a stream: lines ended by CRLF or LF, a `Status` header, or an HTTP
 * status line as scripts with "non-parsed headers" send it.
 */

import { ByteCollector } from "../byte-collector.ts";
import { ProtocolError } from "../error.ts";

/** As much as the largest of common front ends takes by default, with room. */
export const DEFAULT_MAX_HEAD = 256 * 1024;
const LF = 10;
const CR = 13;
const STATUS_VALUE = /^([1-9][0-9]{2})(?:[ \t]+(.*))?$/;
const STATUS_LINE = /^HTTP\/[0-9](?:\.[0-9])?[ \t]+([1-9][0-9]{2})(?:[ \t]+(.*))?$/;
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

export interface ResponseHead {
  /** From `Status` or the status line; else 302 where there is a `Location`, 200 where there is none (§6.2). */
  readonly status: number;
  /** The reason phrase, "" where none was sent. */
  readonly reason: string;
  /** Name, value, name, value, … as they were sent, without `Status`. */
  readonly headers: readonly string[];
}

export class ResponseHeadDecoder {
  readonly #maxBytes: number;
  readonly #collected = new ByteCollector();
  /** The bytes before this one hold no end of the head. */
  #searched = 0;

  /** @param maxBytes the longest head, in bytes, that is accepted */
  constructor(maxBytes = DEFAULT_MAX_HEAD) {
    this.#maxBytes = maxBytes;
  }

  /** True once a byte has arrived. */
  get started(): boolean {
    return this.#collected.length > 0;
  }

  /**
   * @returns the head and the first bytes of the body, once the head is complete, else `null`. To be called no more after that.
   * @throws ProtocolError `CGI_BAD_HEADERS`, `CGI_HEADERS_TOO_LARGE`
   */
  push(chunk: Buffer): { head: ResponseHead; body: Buffer } | null {
    this.#collected.add(chunk);
    const bytes = this.#collected.peek();
    const end = headEnd(bytes, this.#searched);
    if ((end < 0 ? bytes.length : end) > this.#maxBytes) {
      throw new ProtocolError(
        "CGI_HEADERS_TOO_LARGE",
        `The response head is longer than ${this.#maxBytes} bytes`,
      );
    }
    if (end < 0) {
      this.#searched = Math.max(0, bytes.length - 2);
      return null;
    }
    return { head: parseHead(bytes.toString("latin1", 0, end)), body: bytes.subarray(end) };
  }
}

/** The position after the empty line, or -1. A head that begins with an empty line is empty. */
function headEnd(bytes: Buffer, from: number): number {
  if (from === 0) {
    if (bytes[0] === LF) return 1;
    if (bytes[0] === CR && bytes[1] === LF) return 2;
  }
  for (let at = bytes.indexOf(LF, from); at >= 0; at = bytes.indexOf(LF, at + 1)) {
    if (bytes[at + 1] === LF) return at + 2;
    if (bytes[at + 1] === CR && bytes[at + 2] === LF) return at + 3;
  }
  return -1;
}

function parseHead(text: string): ResponseHead {
  const lines = text.split("\n").map((line) => (line.endsWith("\r") ? line.slice(0, -1) : line));
  let status: number | undefined;
  let reason = "";
  const headers: string[] = [];
  const statusLine = STATUS_LINE.exec(lines[0] ?? "");
  if (statusLine !== null) {
    status = Number(statusLine[1]);
    reason = statusLine[2] ?? "";
    lines.shift();
  }
  for (const line of lines) {
    if (line === "") break;
    const [name, value] = parseField(line);
    if (name.toLowerCase() !== "status") {
      headers.push(name, value);
    } else {
      const parts = STATUS_VALUE.exec(value);
      if (parts === null)
        throw new ProtocolError("CGI_BAD_HEADERS", `Cannot read the status in ${quote(line)}`);
      status = Number(parts[1]);
      reason = parts[2] ?? "";
    }
  }
  return { status: status ?? (hasHeader(headers, "location") ? 302 : 200), reason, headers };
}

function parseField(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  const name = line.slice(0, Math.max(colon, 0));
  if (!TOKEN.test(name)) {
    throw new ProtocolError(
      "CGI_BAD_HEADERS",
      `Expected "Name: value" in the response head, got ${quote(line)}`,
    );
  }
  const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, "");
  if (/[\0\r]/.test(value)) {
    throw new ProtocolError(
      "CGI_BAD_HEADERS",
      `The header ${name} holds a control character: ${quote(value)}`,
    );
  }
  return [name, value];
}

function hasHeader(headers: readonly string[], name: string): boolean {
  return headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === name);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
}
