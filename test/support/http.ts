/** An HTTP/1.1 client on the bare socket, for tests that compare what came over the wire to the byte. */

import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { within } from "./wait.ts";

/** Where to connect: `{ path }` or `{ host, port }`. */
export type Target = { readonly path: string } | { readonly host: string; readonly port: number };

export interface WireResponse {
  /** `HTTP/1.1 200 OK` */
  readonly statusLine: string;
  readonly status: number;
  /** Name and value of each header line, in order, as sent. */
  readonly headers: readonly (readonly [string, string])[];
  /** Decoded where it was chunked. */
  readonly body: Buffer;
  /** False when the connection ended before the body did. */
  readonly complete: boolean;
}

export interface WireRequest {
  readonly method?: string;
  /** As on the request line: nothing is encoded or normalised. */
  readonly target: string;
  /** Lines as sent. `Host` and `Connection: close` are added where absent. */
  readonly headers?: readonly (readonly [string, string])[];
  /** Several chunks are sent with `Transfer-Encoding: chunked`. */
  readonly body?: Buffer | readonly Buffer[];
  readonly version?: "1.0" | "1.1";
  readonly deadlineMs?: number;
}

export function header(response: WireResponse, name: string): string | undefined {
  return response.headers.find(([key]) => key.toLowerCase() === name.toLowerCase())?.[1];
}

/** One request on a connection of its own, and its whole response. */
export async function exchange(target: Target, request: WireRequest): Promise<WireResponse> {
  const open = await openExchange(target, request);
  return within(open.response, {
    what: `the response to ${request.method ?? "GET"} ${request.target}`,
    ...(request.deadlineMs === undefined ? {} : { deadlineMs: request.deadlineMs }),
  });
}

export interface OpenExchange {
  readonly socket: Socket;
  /** Settles when the response is complete or the connection ends. Rejects when not even a head came. */
  readonly response: Promise<WireResponse>;
  /** Resolves once the raw bytes received contain the text. */
  received(text: string): Promise<void>;
}

/** Sends the request and leaves the connection in the caller's hands: for streaming and for hanging up. */
export async function openExchange(target: Target, request: WireRequest): Promise<OpenExchange> {
  const socket = connect(target);
  await once(socket, "connect");
  const reader = new ResponseReader((request.method ?? "GET") === "HEAD");
  const response = reader.read(socket);
  response.catch(() => {}); // the caller may hang up and never look
  socket.write(encodeHead(request));
  sendBody(socket, request.body);
  return { socket, response, received: (text) => reader.received(socket, text) };
}

function encodeHead(request: WireRequest): Buffer {
  const headers = [...(request.headers ?? [])];
  const has = (name: string): boolean => headers.some(([key]) => key.toLowerCase() === name);
  if (!has("host")) headers.unshift(["Host", "gwpm.test"]);
  if (!has("connection")) headers.push(["Connection", "close"]);
  if (Buffer.isBuffer(request.body)) headers.push(["Content-Length", String(request.body.length)]);
  else if (request.body !== undefined) headers.push(["Transfer-Encoding", "chunked"]);
  const start = `${request.method ?? "GET"} ${request.target} HTTP/${request.version ?? "1.1"}\r\n`;
  return Buffer.from(
    `${start + headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    "latin1",
  );
}

function sendBody(socket: Socket, body: WireRequest["body"]): void {
  if (body === undefined) return;
  if (Buffer.isBuffer(body)) {
    // Even a write of nothing fails with EPIPE, and takes what has not been read with it, once nginx has answered and hung up.
    if (body.length > 0) socket.write(body);
    return;
  }
  for (const chunk of body as readonly Buffer[]) {
    socket.write(`${chunk.length.toString(16)}\r\n`);
    socket.write(chunk);
    socket.write("\r\n");
  }
  socket.write("0\r\n\r\n");
}

class ResponseReader {
  #chunks: Buffer[] = [];
  #length = 0;
  readonly #headOnly: boolean;

  constructor(headOnly: boolean) {
    this.#headOnly = headOnly;
  }

  /** Reads to the end of the connection; the requests ask for `Connection: close`. */
  async read(socket: Socket): Promise<WireResponse> {
    socket.on("data", (chunk: Buffer) => {
      this.#chunks.push(chunk);
      this.#length += chunk.length;
    });
    await new Promise<void>((resolve) => {
      socket.once("close", () => resolve());
      socket.on("error", () => {}); // "close" follows; an incomplete response tells
    });
    return parseResponse(this.#all(), this.#headOnly);
  }

  async received(socket: Socket, text: string): Promise<void> {
    const arrived = new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!this.#all().includes(text)) return;
        socket.off("data", look);
        resolve();
      };
      socket.on("data", look);
      socket.once("close", () => reject(new Error(`The connection ended before "${text}" came`)));
      look();
    });
    await within(arrived, { what: `"${text}" to arrive` }, () =>
      this.#all().toString("latin1").slice(0, 2_000),
    );
  }

  #all(): Buffer {
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks, this.#length)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }
}

function parseResponse(bytes: Buffer, headOnly: boolean): WireResponse {
  const end = bytes.indexOf("\r\n\r\n");
  if (end < 0)
    throw new Error(`The connection ended without a response head; received: ${bytes.toString("latin1")}`);
  const [statusLine, ...lines] = bytes.toString("latin1", 0, end).split("\r\n");
  const headers = lines.map((line) => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  const status = Number(statusLine!.split(" ")[1]);
  const value = (name: string): string | undefined =>
    headers.find(([key]) => key.toLowerCase() === name)?.[1];
  const raw = bytes.subarray(end + 4);
  const bodiless = headOnly || status === 204 || status === 304;
  const length = value("content-length");
  if (!bodiless && value("transfer-encoding") === "chunked") {
    return { statusLine: statusLine!, status, headers, ...dechunk(raw) };
  }
  const complete = bodiless ? raw.length === 0 : length === undefined || raw.length === Number(length);
  return { statusLine: statusLine!, status, headers, body: raw, complete };
}

/** RFC 9112 §7.1; a missing last chunk means that the sender broke off. */
function dechunk(raw: Buffer): { body: Buffer; complete: boolean } {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = raw.indexOf("\r\n", at);
    if (lineEnd < 0) return { body: Buffer.concat(parts), complete: false };
    const size = Number.parseInt(raw.toString("latin1", at, lineEnd), 16);
    if (size === 0) return { body: Buffer.concat(parts), complete: true };
    const start = lineEnd + 2;
    if (start + size > raw.length) {
      return { body: Buffer.concat([...parts, raw.subarray(start)]), complete: false };
    }
    parts.push(raw.subarray(start, start + size));
    at = start + size + 2;
  }
}
