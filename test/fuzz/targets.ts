/** What is fuzzed, and what must hold for any input: no exception, no hang, no growth. */

import assert from "node:assert/strict";
import { ProtocolError } from "../../src/protocol/error.ts";
import type { ResponseEnd } from "../../src/protocol/fastcgi/client.ts";
import { FastCgiClient } from "../../src/protocol/fastcgi/client.ts";
import { ScgiDecoder } from "../../src/protocol/scgi/decoder.ts";
import { type GatewayHandler, gatewayLane } from "../../src/worker/gateway-lane.ts";
import {
  DEFAULTS,
  fin as endSession,
  feed as feedSession,
  record,
} from "../unit/protocol/recording-session.ts";
import { inputOf, vectorsOf } from "../unit/protocol/vectors.ts";
import { fastcgiRequest, scgiRequest, stdin, stdinEnd } from "../unit/worker-wire/requests.ts";
import { fastcgi, scgi, settle, type Wire } from "../unit/worker-wire/wire.ts";
import { LiveWorker } from "./live.ts";
import { cut, mutate } from "./mutate.ts";
import type { Random } from "./random.ts";

/** One run on one input. Throws where something does not hold. */
export type Target = (random: Random) => void | Promise<void>;

const nonEmpty = (bytes: Buffer) => bytes.length > 0;
export const FASTCGI_CORPUS = [
  ...vectorsOf("fcgi", "to-server").map(inputOf),
  fastcgiRequest({ body: "hello" }),
  fastcgiRequest({ id: 3, keep: false, body: "x".repeat(70_000) }),
  Buffer.concat([
    fastcgiRequest({ body: null }),
    stdin("a"),
    fastcgiRequest({ id: 2 }),
    stdin("b"),
    stdinEnd(),
  ]),
].filter(nonEmpty);
export const SCGI_CORPUS = [...vectorsOf("scgi", "to-server").map(inputOf), scgiRequest("hello")].filter(
  nonEmpty,
);
const CLIENT_CORPUS = vectorsOf("fcgi", "to-client").map(inputOf);

const MAX_PARAMS = 100_000;
const MAX_REQUESTS = 8;

export const targets: Readonly<Record<string, Target>> = {
  session,
  scgiDecoder,
  client,
  fastcgiConnection: (random) => connection(random, FASTCGI_CORPUS, fastcgi),
  scgiConnection: (random) => connection(random, SCGI_CORPUS, scgi),
  liveWorker,
};

/** Besides: where no error ends the connection, the outcome does not depend on how the input was cut. */
function session(random: Random): void {
  const input = mutate(FASTCGI_CORPUS, random);
  const options = {
    ...DEFAULTS,
    maxParams: MAX_PARAMS,
    maxRequests: MAX_REQUESTS,
    roles: ["responder", "filter"] as const,
  };
  const whole = record(options);
  feedSession(whole, input);
  const pieces = record({ ...options, inputReused: true });
  for (const piece of cut(input, random)) feedSession(pieces, Buffer.from(piece));
  for (const recording of [whole, pieces]) {
    assert.ok(recording.session.activeCount <= MAX_REQUESTS);
    for (const { request } of recording.requests) assert.ok(request.params.toObject() !== null);
  }
  assert.equal(pieces.closed, whole.closed);
  if (!whole.closed) assert.deepEqual(summary(pieces), summary(whole));
  endSession(whole);
  assert.equal(whole.session.activeCount, 0);
  for (const recorded of whole.requests) assert.ok(recorded.aborted || whole.closed);
}

function summary({ requests, replies, errors }: ReturnType<typeof record>) {
  return {
    requests: requests.map(({ request, stdin: body, data, stdinComplete, aborted }) => ({
      id: request.id,
      pairs: request.params.pairs(),
      body: Buffer.concat(body),
      data: Buffer.concat(data),
      stdinComplete,
      aborted,
    })),
    replies: Buffer.concat(replies),
    errors: errors.map(({ code }) => code),
  };
}

function scgiDecoder(random: Random): void {
  const input = mutate(SCGI_CORPUS, random);
  const outcome = (pieces: readonly Buffer[]) => {
    const seen: unknown[] = [];
    const body: Buffer[] = [];
    const decoder = new ScgiDecoder(
      { maxHeaders: MAX_PARAMS, inputReused: random.chance(0.5) },
      {
        onRequest: (params, length) => seen.push(params.pairs(), length),
        onBody: (chunk) => body.push(chunk),
        onBodyEnd: () => seen.push("end"),
      },
    );
    try {
      for (const piece of pieces) decoder.push(piece);
      decoder.end();
    } catch (error) {
      assert.ok(error instanceof ProtocolError, String(error));
      seen.push(error.code);
    }
    return [seen, Buffer.concat(body)];
  };
  assert.deepEqual(outcome(cut(input, random)), outcome([input]));
}

function client(random: Random): void {
  const input = mutate(CLIENT_CORPUS, random);
  const ends: ResponseEnd[] = [];
  const decoder = new FastCgiClient(MAX_PARAMS);
  decoder.expect(1, { onHead() {}, onBody() {}, onStderr() {}, onEnd: (end) => ends.push(end) });
  try {
    for (const piece of cut(input, random)) decoder.push(piece);
  } catch (error) {
    assert.ok(error instanceof ProtocolError, String(error));
  }
  decoder.end();
  assert.equal(ends.length, 1);
}

/** Every way that a handler may behave. */
function handlers(random: Random): GatewayHandler {
  return async (request, response) => {
    switch (random.below(6)) {
      case 0:
        response.send(200, { "content-type": "text/plain" }, request.url);
        break;
      case 1:
        response.send(200, {}, await request.buffer({ limit: 10_000 }));
        break;
      case 2:
        response.head(200, request.method === "HEAD" ? {} : { "content-length": random.below(50) });
        for (let i = 0; i < 5; i++) await response.write("x".repeat(random.below(30_000)));
        response.end();
        break;
      case 3:
        for await (const _ of request.body) if (random.chance(0.5)) break;
        response.send(204);
        break;
      case 4:
        throw new Error("fuzz: the handler fails");
      default:
        // Waits until the front end goes away.
        await new Promise((resolve) => request.signal.addEventListener("abort", resolve));
    }
  };
}

let live: LiveWorker | undefined;
let liveRandom: Random;

async function liveWorker(random: Random): Promise<void> {
  liveRandom = random;
  live ??= new LiveWorker((request, response) => handlers(liveRandom)(request, response));
  await live.attack(cut(mutate(FASTCGI_CORPUS, random), random).slice(0, 2_000), random.chance(0.3));
}

async function connection(
  random: Random,
  corpus: readonly Buffer[],
  open: typeof fastcgi | typeof scgi,
): Promise<void> {
  const wire: Wire = open({
    handler: gatewayLane(handlers(random), ""),
    roles: ["responder", "filter"],
    wire: {
      maxParams: MAX_PARAMS,
      maxRequestsPerConnection: MAX_REQUESTS,
      multiplex: random.chance(0.9),
      scgiAbortOnFin: random.chance(0.5),
    },
  });
  const { socket } = wire;
  socket.accepting = random.chance(0.8);
  for (const piece of cut(mutate(corpus, random), random)) {
    if (socket.destroyed) break;
    socket.push(piece);
    if (random.chance(0.1)) await settle(1);
    if (random.chance(0.02)) wire.connection.close({ idle: random.pick(["keep", "close"]) });
  }
  await settle(1);
  assert.ok(wire.connection.active <= MAX_REQUESTS);
  assert.ok(socket.writableLength < 2_000_000, `${socket.writableLength} bytes wait to be written`);
  await end(wire);
}

/** The peer closes: whatever was going on must come to an end. */
async function end(wire: Wire): Promise<void> {
  const { socket, connection: tested } = wire;
  socket.accept();
  await settle();
  if (!socket.destroyed) socket.push(null);
  // SCGI answers a peer that has closed only its own side; this one has gone.
  await settle();
  if (!socket.destroyed) socket.destroy();
  await settle();
  assert.equal(tested.active, 0);
  for (const exchange of wire.exchanges)
    assert.ok(exchange.ended || exchange.aborted, "a request is left over");
}
