/** The conformance vectors again, through whole connections: what the handler sees, and how the connection ends. */

import { describe, expect, it } from "vitest";
import { encodeHead } from "../../../src/protocol/cgi/response-head.ts";
import type { Exchange } from "../../../src/worker/exchange.ts";
import {
  chunkings,
  type ExpectedReply,
  type ExpectedRequest,
  inputOf,
  type Vector,
  vectorsOf,
} from "../protocol/vectors.ts";
import { fastcgi, responseIn, scgi, settle, type Wire, type WireSettings } from "./wire.ts";

interface Seen {
  readonly exchange: Exchange;
  readonly body: Buffer[];
  complete: boolean;
  error: Error | undefined;
}

const SEEN = new WeakMap<Exchange, Seen>();

/** Reads the body, and answers when it is told to. */
function recordBody(exchange: Exchange): void {
  const seen: Seen = { exchange, body: [], complete: exchange.bodyEmpty, error: undefined };
  SEEN.set(exchange, seen);
  exchange.takeBody({
    onChunk(chunk) {
      seen.body.push(chunk);
      return true;
    },
    onEnd(error) {
      seen.complete = true;
      seen.error = error;
    },
  });
}

function answer(exchange: Exchange): void {
  exchange.head(encodeHead(200, undefined, ["Content-Type", "text/plain"]));
  exchange.end("ok");
}

/** How many connections are open at a time. */
const BATCH = 200;

async function runAll(
  vector: Vector,
  open: (settings: WireSettings) => Wire,
  check: (wire: Wire, how: string) => Promise<void>,
) {
  const settings: WireSettings = {
    handler: recordBody,
    wire: {
      maxParams: vector.config?.max_params_bytes ?? 1_048_576,
      multiplex: vector.config?.multiplex ?? true,
    },
    roles: vector.config?.roles ?? ["responder"],
  };
  let batch: Promise<void>[] = [];
  for (const { how, chunks } of chunkings(inputOf(vector))) {
    batch.push(runOne(vector, open(settings), chunks, how, check));
    if (batch.length < BATCH) continue;
    await Promise.all(batch);
    batch = [];
  }
  await Promise.all(batch);
}

async function runOne(
  vector: Vector,
  wire: Wire,
  chunks: readonly Buffer[],
  how: string,
  check: (wire: Wire, how: string) => Promise<void>,
): Promise<void> {
  const wait = chunks.length <= 2;
  for (const chunk of chunks) {
    if (wire.socket.destroyed) break;
    wire.socket.push(chunk);
    if (wait) await settle(1);
  }
  if (vector.then === "fin") wire.socket.push(null);
  await settle();
  await check(wire, how);
}

describe("FastCGI connections, vectors", () => {
  // Requests that follow each other on one id cannot be told apart from one buffer; the session's tests answer in between.
  const vectors = vectorsOf("fcgi", "to-server").filter(
    ({ chunks, capture }) => chunks === undefined || capture === true,
  );
  for (const vector of vectors) {
    it(vector.name, () => runAll(vector, fastcgi, (wire, how) => checkFastCgi(vector, wire, how)));
  }
});

async function checkFastCgi(vector: Vector, wire: Wire, how: string): Promise<void> {
  const { expect: stated } = vector;
  if (vector.dispatch === "cgi-error-or-lenient") {
    expect(responseIn(wire.socket.output).head?.status, how).toBe(400);
    expect(wire.exchanges, how).toEqual([]);
    return;
  }
  expect(seenIn(wire), how).toEqual(expectedRequests(vector));
  for (const reply of stated.replies as ExpectedReply[]) checkReply(wire.socket.output, reply, how);
  if (stated.connection === "close-now") {
    expect(wire.socket.destroyed || wire.socket.finished, how).toBe(true);
    expect(wire.socket.output.length, how).toBe(0);
    return;
  }
  expect(wire.socket.destroyed, how).toBe(false);
  for (const exchange of wire.exchanges) if (!exchange.aborted) answer(exchange);
  await settle();
  expect(wire.socket.finished, how).toBe(stated.connection === "close-after-response");
  for (const exchange of wire.exchanges) if (!exchange.aborted) checkAnswered(wire, how);
}

function checkAnswered(wire: Wire, how: string): void {
  expect(wire.connection.active, how).toBe(0);
  expect(wire.socket.output.includes("Status: 200 OK"), how).toBe(true);
}

function seenIn(wire: Wire) {
  return wire.exchanges
    .map((exchange) => {
      const seen = SEEN.get(exchange)!;
      return {
        role: exchange.role,
        uri: exchange.params.get("REQUEST_URI") ?? null,
        length: Buffer.concat(seen.body).length,
        complete: seen.complete,
        short: seen.error !== undefined,
        aborted: exchange.aborted,
      };
    })
    .sort(byUri);
}

function expectedRequests(vector: Vector) {
  return (vector.expect.requests as ExpectedRequest[])
    .map((request) => ({
      role: request.role,
      uri: request.params.REQUEST_URI ?? null,
      length: request.stdin_len,
      complete: request.stdin_complete,
      short: vector.body_mismatch === "short",
      aborted: request.aborted,
    }))
    .sort(byUri);
}

function byUri(a: { uri: string | null; length: number }, b: { uri: string | null; length: number }): number {
  return (a.uri ?? "").localeCompare(b.uri ?? "") || a.length - b.length;
}

function checkReply(output: Buffer, reply: ExpectedReply, how: string): void {
  if (reply.hex !== undefined) {
    expect(output.includes(Buffer.from(reply.hex, "hex")), how).toBe(true);
    return;
  }
  const { head, end } = responseIn(output, reply.id);
  expect(end?.protocolStatus, how).toBe(reply.protocol_status);
  expect(head?.status, how).toBe(reply.stdout_status);
}

describe("SCGI connections, vectors", () => {
  for (const vector of vectorsOf("scgi", "to-server")) {
    it(vector.name, () => runAll(vector, scgi, (wire, how) => checkScgi(vector, wire, how)));
  }
});

async function checkScgi(vector: Vector, wire: Wire, how: string): Promise<void> {
  const { expect: stated } = vector;
  if (vector.hint !== undefined)
    expect(wire.log.join(), how).toMatch(new RegExp(`speaks ${hintName(vector.hint)}`));
  if (stated.result !== "request") {
    expect(wire.exchanges, how).toEqual([]);
    expect(wire.socket.finished || wire.socket.destroyed, how).toBe(true);
    const status = stated.status == null ? "" : `Status: ${stated.status} `;
    expect(wire.socket.output.toString("latin1").slice(0, status.length), how).toBe(status);
    if (status === "") expect(wire.socket.output.length, how).toBe(0);
    return;
  }
  const [exchange] = wire.exchanges as [Exchange];
  const seen = SEEN.get(exchange)!;
  expect(Buffer.concat(seen.body).toString("latin1"), how).toBe(stated.body_latin1);
  expect(seen.complete, how).toBe(stated.aborted !== true);
  expect(exchange.aborted, how).toBe(stated.aborted === true);
  if (stated.aborted) {
    expect(wire.socket.destroyed, how).toBe(true);
    return;
  }
  answer(exchange);
  await settle();
  expect(wire.socket.output.toString("latin1"), how).toBe(
    "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nok",
  );
  expect(wire.socket.finished, how).toBe(true);
}

function hintName(hint: string): string {
  return hint === "fcgi" ? "FastCGI" : hint.toUpperCase();
}
