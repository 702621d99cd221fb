/** Writes FastCGI records (specification, sections 3.3 to 5.5). */

import { HEADER_LENGTH, KEEP_CONN, ProtocolStatus, Type, VERSION } from "./constants.ts";
import { encodePair } from "./name-values.ts";

/** The longest content that needs no padding: the largest multiple of 8 below 65,536. */
export const MAX_ALIGNED_CONTENT = 65528;
/** STDOUT EOF and END_REQUEST: what every response ends with. */
export const TRAILER_LENGTH = HEADER_LENGTH + 16;
const EMPTY = Buffer.alloc(0);
const ZEROS = Buffer.alloc(8);

/** How many bytes bring a content up to a multiple of 8, as section 3.3 recommends. */
export function paddingOf(length: number): number {
  return -length & 7;
}

/** Writes a record header. @returns the position after it */
export function writeHeader(target: Buffer, at: number, type: number, id: number, length: number): number {
  target[at] = VERSION;
  target[at + 1] = type;
  target[at + 2] = id >> 8;
  target[at + 3] = id & 0xff;
  target[at + 4] = length >> 8;
  target[at + 5] = length & 0xff;
  target[at + 6] = -length & 7;
  target[at + 7] = 0;
  return at + HEADER_LENGTH;
}

let lastHeader = "";
let lastHeaderKey = -1;

/** A STDOUT record header as latin1 text. Responses of the same length follow each other often. */
export function stdoutHeaderText(id: number, length: number): string {
  const key = id * 65_536 + length;
  if (key !== lastHeaderKey) {
    lastHeaderKey = key;
    lastHeader = String.fromCharCode(
      VERSION,
      Type.STDOUT,
      id >> 8,
      id & 0xff,
      length >> 8,
      length & 0xff,
      paddingOf(length),
      0,
    );
  }
  return lastHeader;
}

let trailers: readonly string[] = [];
let trailersId = -1;

/** What follows a STDOUT content of `length` as latin1 text: padding, STDOUT EOF and END_REQUEST. */
export function trailerText(id: number, length: number): string {
  if (id !== trailersId) {
    trailersId = id;
    const trailer = Buffer.alloc(TRAILER_LENGTH);
    writeTrailer(trailer, 0, id, ProtocolStatus.REQUEST_COMPLETE);
    const text = trailer.toString("latin1");
    trailers = Array.from({ length: 8 }, (_, padding) => "\0".repeat(padding) + text);
  }
  return trailers[paddingOf(length)]!;
}

/** Writes the bytes after a content of `length`. @returns the position after them */
export function writePadding(target: Buffer, at: number, length: number): number {
  const end = at + paddingOf(length);
  for (let i = at; i < end; i++) target[i] = 0;
  return end;
}

/** Writes STDOUT EOF and END_REQUEST, {@link TRAILER_LENGTH} bytes. @returns the position after them */
export function writeTrailer(target: Buffer, at: number, id: number, protocolStatus: number): number {
  return writeEnd(target, writeHeader(target, at, Type.STDOUT, id, 0), id, protocolStatus);
}

/** Writes END_REQUEST, 16 bytes; appStatus, which no front end looks at, is 0. @returns the position after it */
export function writeEnd(target: Buffer, at: number, id: number, protocolStatus: number): number {
  const body = writeHeader(target, at, Type.END_REQUEST, id, 8);
  target.fill(0, body, body + 8);
  target[body + 4] = protocolStatus;
  return body + 8;
}

/** One record of at most 65,535 bytes of content, padded. */
export function encodeRecord(type: number, id: number, content: Buffer): Buffer {
  const record = Buffer.allocUnsafe(HEADER_LENGTH + content.length + paddingOf(content.length));
  const at = writeHeader(record, 0, type, id, content.length);
  writePadding(record, at + content.copy(record, at), content.length);
  return record;
}

/** The records of a stream (STDIN, STDOUT, STDERR, DATA), without its end: contents are not copied. Empty for an empty content. */
export function encodeStream(type: number, id: number, content: Buffer): Buffer[] {
  const parts: Buffer[] = [];
  for (let start = 0; start < content.length; start += MAX_ALIGNED_CONTENT) {
    const piece =
      content.length <= MAX_ALIGNED_CONTENT ? content : content.subarray(start, start + MAX_ALIGNED_CONTENT);
    const header = Buffer.allocUnsafe(HEADER_LENGTH);
    writeHeader(header, 0, type, id, piece.length);
    parts.push(header, piece);
    const padding = paddingOf(piece.length);
    if (padding > 0) parts.push(ZEROS.subarray(0, padding));
  }
  return parts;
}

export function encodeEndOfStream(type: number, id: number): Buffer {
  return encodeRecord(type, id, EMPTY);
}

export function encodeEndRequest(id: number, protocolStatus: number): Buffer {
  const record = Buffer.allocUnsafe(16);
  writeEnd(record, 0, id, protocolStatus);
  return record;
}

/** How a response tells the front end not to use the connection again, while it is still good for this response. */
export type Retirement =
  /** Nothing special: END_REQUEST, and the connection stays open or is closed. */
  | "none"
  /** nginx keeps a connection only if END_REQUEST is the last thing in its buffer: an empty STDERR record follows in the same write. */
  | "nginx"
  /** HAProxy detaches the connection at OVERLOADED, and delivers the response. */
  | "haproxy"
  /** HAProxy with other requests on the connection: no new ones on it. */
  | "haproxy-multiplexed";

/** The form of retirement that a front end understands, by the SERVER_SOFTWARE it sends. */
export function retirementFor(serverSoftware: string | undefined, othersActive: boolean): Retirement {
  if (serverSoftware?.startsWith("nginx/")) return "nginx";
  if (serverSoftware?.startsWith("HAProxy")) return othersActive ? "haproxy-multiplexed" : "haproxy";
  // Apache and others read trailing bytes as the beginning of the next response: END_REQUEST and a FIN is the best there is.
  return "none";
}

export function retirementStatus(retirement: Retirement): number {
  if (retirement === "haproxy") return ProtocolStatus.OVERLOADED;
  if (retirement === "haproxy-multiplexed") return ProtocolStatus.CANT_MPX_CONN;
  return ProtocolStatus.REQUEST_COMPLETE;
}

/** A whole response in one buffer: STDOUT records, STDOUT EOF, END_REQUEST, and what `retirement` adds. */
export function encodeResponse(id: number, stdout: Buffer, retirement: Retirement = "none"): Buffer {
  const trailer = Buffer.allocUnsafe(TRAILER_LENGTH);
  writeTrailer(trailer, 0, id, retirementStatus(retirement));
  const parts = [...encodeStream(Type.STDOUT, id, stdout), trailer];
  if (retirement === "nginx") parts.push(encodeEndOfStream(Type.STDERR, id));
  return Buffer.concat(parts);
}

/** A complete plain-text answer for a request that no handler will see. A bare END_REQUEST would be a 502, an empty 200 or a hang. */
export function encodeRefusal(id: number, status: string, protocolStatus: number): Buffer {
  const stdout = Buffer.from(`Status: ${status}\r\nContent-Type: text/plain\r\n\r\n${status}\n`, "latin1");
  const trailer = Buffer.allocUnsafe(TRAILER_LENGTH);
  writeTrailer(trailer, 0, id, protocolStatus);
  return Buffer.concat([encodeRecord(Type.STDOUT, id, stdout), trailer]);
}

/** The answer to GET_VALUES; one record. */
export function encodeGetValuesResult(values: ReadonlyMap<string, string>): Buffer {
  return encodeRecord(Type.GET_VALUES_RESULT, 0, encodePairs(values));
}

/** The answer to a management record of a type that we do not know. */
export function encodeUnknownType(type: number): Buffer {
  const content = Buffer.alloc(8);
  content[0] = type;
  return encodeRecord(Type.UNKNOWN_TYPE, 0, content);
}

/** Client side: asks for the values of FCGI_MAX_CONNS, FCGI_MAX_REQS and FCGI_MPXS_CONNS, or others. */
export function encodeGetValues(names: readonly string[]): Buffer {
  return encodeRecord(Type.GET_VALUES, 0, encodePairs(names.map((name) => [name, ""] as const)));
}

/** Client side: opens a request. */
export function encodeBeginRequest(id: number, role: number, keepConnection: boolean): Buffer {
  const content = Buffer.alloc(8);
  content[1] = role;
  content[2] = keepConnection ? KEEP_CONN : 0;
  return encodeRecord(Type.BEGIN_REQUEST, id, content);
}

export function encodeAbortRequest(id: number): Buffer {
  return encodeRecord(Type.ABORT_REQUEST, id, EMPTY);
}

/**
 * Client side: the PARAMS stream with its end. Pairs stay whole within a record where they fit into one, as some servers decode each record
 * by itself.
 */
export function encodeParams(
  id: number,
  variables: Iterable<readonly [name: string, value: string]>,
): Buffer {
  const records: Buffer[] = [];
  let pending: Buffer[] = [];
  let size = 0;
  const flush = () => {
    if (size > 0) records.push(...encodeStream(Type.PARAMS, id, Buffer.concat(pending, size)));
    pending = [];
    size = 0;
  };
  for (const [name, value] of variables) {
    const pair = encodePair(name, value);
    if (size + pair.length > MAX_ALIGNED_CONTENT) flush();
    pending.push(pair);
    size += pair.length;
  }
  flush();
  records.push(encodeEndOfStream(Type.PARAMS, id));
  return Buffer.concat(records);
}

function encodePairs(pairs: Iterable<readonly [string, string]>): Buffer {
  return Buffer.concat(Array.from(pairs, ([name, value]) => encodePair(name, value)));
}
