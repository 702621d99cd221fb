/** Writes the head of a CGI response (RFC 3875 §6.3): `Status: 200 OK`, the headers, an empty line. */

import { STATUS_CODES } from "node:http";
import { ProtocolError } from "../error.ts";

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What a field value or a reason phrase may not hold: control characters (so no second line) and what latin1 cannot carry. */
const NOT_FIELD_TEXT = /[^\t\x20-\x7e\x80-\xff]/;
const DIGITS = /^[0-9]+$/;

/**
 * Headers that belong to one HTTP connection, not to the response (RFC 9110 §7.6.1). Behind a gateway that connection is the front
 * end's: nginx and Apache chunk a chunked body a second time, Apache and lighttpd pass `Connection` on. `Status` is ours to write.
 */
const DROPPED = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "status",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const CONTENT_LENGTH = "Content-Length: ";
/** Names are few and repeat; a program that invents names without end stops being cached. */
const NAME_CACHE_LIMIT = 1024;
/** A value longer than this is not kept for comparison. */
const VALUE_CACHE_LIMIT = 128;

/** A header name with the line that it made last: values such as content types repeat from response to response. */
interface HeaderLine {
  /** `"Name: "`, or `""` where the header is not sent. */
  readonly prefix: string;
  /** `null` where none is kept: never equal to what a caller passes, not even to `undefined`. */
  lastValue: string | null;
  lastLine: string;
}

const lines = new Map<string, HeaderLine>();
/** What {@link headStatus} and {@link headContentLength} are asked for next is nearly always what was encoded last. */
let lastHead = "";
let lastStatus = 0;
let lastContentLength = -1;
/** Status → its line with the standard reason phrase. */
const statusLines = new Map<number, string>();

/**
 * @param status 200 to 999: an interim response (1xx) cannot be sent over CGI, front ends break on it
 * @param reason the reason phrase; `undefined` for the standard one
 * @param headers name, value, name, value, …; hop-by-hop headers are left out
 * @param bodyLength added as Content-Length, for callers that know that `headers` has none
 * @returns the head with its final empty line, to be sent as latin1
 * @throws ProtocolError `CGI_INVALID_STATUS` or `CGI_INVALID_HEADER`, before anything could be injected into the response
 */
export function encodeHead(
  status: number,
  reason: string | undefined,
  headers: readonly string[],
  bodyLength = -1,
): string {
  let text = reason === undefined ? standardStatusLine(status) : statusLine(status, reason);
  let contentLength = bodyLength;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i]!;
    const value = headers[i + 1]!;
    const line = lines.get(name) ?? newLine(name);
    if (line.prefix === CONTENT_LENGTH) contentLength = checkedLength(value, contentLength);
    if (value !== line.lastValue) remember(line, value);
    text += line.lastLine;
  }
  if (bodyLength >= 0) text += `${CONTENT_LENGTH}${bodyLength}\r\n`;
  lastHead = `${text}\r\n`;
  lastStatus = status;
  lastContentLength = contentLength;
  return lastHead;
}

/** The status of a head that {@link encodeHead} wrote. */
export function headStatus(head: string): number {
  if (head === lastHead) return lastStatus;
  return (head.charCodeAt(8) - 48) * 100 + (head.charCodeAt(9) - 48) * 10 + (head.charCodeAt(10) - 48);
}

/** The Content-Length that a head from {@link encodeHead} promises, or -1 where it promises none. */
export function headContentLength(head: string): number {
  if (head === lastHead) return lastContentLength;
  const at = head.indexOf(`\n${CONTENT_LENGTH}`);
  if (at < 0) return -1;
  const start = at + 1 + CONTENT_LENGTH.length;
  return Number(head.slice(start, head.indexOf("\r", start)));
}

function standardStatusLine(status: number): string {
  let line = statusLines.get(status);
  if (line === undefined) {
    line = statusLine(status, STATUS_CODES[status] ?? "");
    statusLines.set(status, line);
  }
  return line;
}

function statusLine(status: number, reason: string): string {
  if (!Number.isInteger(status) || status < 200 || status > 999) {
    throw new ProtocolError(
      "CGI_INVALID_STATUS",
      `Cannot send status ${status}: a CGI response has a final status, 200 to 999`,
    );
  }
  if (NOT_FIELD_TEXT.test(reason)) {
    throw new ProtocolError(
      "CGI_INVALID_HEADER",
      `Cannot send the reason phrase ${JSON.stringify(reason)}: it holds a control or non-latin1 character`,
    );
  }
  // lighttpd and h2o want the space even where the phrase is empty.
  return `Status: ${status} ${reason}\r\n`;
}

function newLine(name: string): HeaderLine {
  if (!TOKEN.test(name)) {
    throw new ProtocolError(
      "CGI_INVALID_HEADER",
      `Cannot send the header ${JSON.stringify(name)}: its name is not an HTTP token`,
    );
  }
  const lower = name.toLowerCase();
  const prefix = DROPPED.has(lower) ? "" : lower === "content-length" ? CONTENT_LENGTH : `${name}: `;
  const line: HeaderLine = { prefix, lastValue: null, lastLine: "" };
  if (lines.size < NAME_CACHE_LIMIT) lines.set(name, line);
  return line;
}

function remember(line: HeaderLine, value: string): void {
  if (typeof value !== "string" || NOT_FIELD_TEXT.test(value)) {
    throw new ProtocolError(
      "CGI_INVALID_HEADER",
      `Cannot send the header ${line.prefix}${JSON.stringify(value)}: the value is no string, or holds a control or non-latin1 character`,
    );
  }
  line.lastValue = value.length <= VALUE_CACHE_LIMIT ? value : null;
  line.lastLine = line.prefix === "" ? "" : `${line.prefix}${value}\r\n`;
}

function checkedLength(value: string, earlier: number): number {
  if (!DIGITS.test(value) || (earlier >= 0 && earlier !== Number(value))) {
    throw new ProtocolError(
      "CGI_INVALID_HEADER",
      `Cannot send the header Content-Length: ${JSON.stringify(value)}: it is not a number of bytes, or contradicts an earlier one`,
    );
  }
  return Number(value);
}
