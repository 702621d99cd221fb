import { describe, expect, it } from "vitest";
import { ProtocolError } from "../../../src/protocol/error.ts";
import { refusalStatus, ScgiDecoder } from "../../../src/protocol/scgi/decoder.ts";
import type { ScgiParams } from "../../../src/protocol/scgi/params.ts";
import { ASSUMED, chunkings, inputOf, type Vector, vectorsOf } from "./vectors.ts";

describe("SCGI vectors", () => {
  for (const vector of vectorsOf("scgi", "to-server")) {
    it(vector.name, () => {
      for (const { how, chunks } of chunkings(inputOf(vector))) {
        for (const inputReused of [false, true]) {
          expect(decode(vector, chunks, inputReused, false), how).toEqual(expected(vector, vector.expect));
        }
      }
    });
  }

  for (const vector of vectorsOf("scgi", "to-server").filter((each) => each.expect.strict !== undefined)) {
    it(`${vector.name}, strict`, () => {
      for (const { how, chunks } of chunkings(inputOf(vector))) {
        expect(decode(vector, chunks, false, true), how).toEqual(expected(vector, vector.expect.strict));
      }
    });
  }
});

interface Outcome {
  result: string;
  params?: Record<string, string>;
  body?: string;
  aborted?: boolean;
  status?: number | null;
  connection: string;
  error: string | null;
}

function decode(vector: Vector, chunks: readonly Buffer[], inputReused: boolean, strict: boolean): Outcome {
  let params: ScgiParams | undefined;
  let complete = false;
  let error: ProtocolError | null = null;
  const body: Buffer[] = [];
  const decoder = new ScgiDecoder(
    { maxHeaders: ASSUMED.max_header_bytes, inputReused, strict },
    {
      onRequest(value) {
        params = value;
      },
      onBody: (chunk) => body.push(chunk),
      onBodyEnd() {
        complete = true;
      },
    },
  );
  const shared = Buffer.alloc(4096);
  try {
    for (const chunk of chunks) {
      decoder.push(inputReused ? shared.subarray(0, chunk.copy(shared)) : chunk);
      shared.fill(0xee);
    }
    if (vector.then === "fin") decoder.end();
  } catch (thrown) {
    if (!(thrown instanceof ProtocolError)) throw thrown;
    error = thrown;
  }
  if (params !== undefined) {
    return {
      result: "request",
      params: listed(vector, params.toObject()),
      body: Buffer.concat(body).toString("latin1"),
      aborted: !complete,
      connection: complete ? "close-after-response" : "close-now",
      error: null,
    };
  }
  const closed = error === null || error.code === "SCGI_TRUNCATED";
  return {
    result: closed ? "closed" : "reject",
    ...(closed ? {} : { status: refusalStatus(error!) }),
    connection: "close-now",
    error: error?.code ?? null,
  };
}

/** Where a vector has `duplicates`, it lists only part of the pairs. */
function listed(vector: Vector, params: Record<string, string>): Record<string, string> {
  const entries = Object.entries(params);
  const known: Record<string, string> = vector.expect.params;
  return Object.fromEntries(
    vector.duplicates ? entries.filter(([name]) => Object.hasOwn(known, name)) : entries,
  );
}

it("keeps a variable named __proto__ to itself", () => {
  let object: Record<string, string> | undefined;
  const decoder = new ScgiDecoder(
    { maxHeaders: 1000, inputReused: false },
    {
      onRequest(params) {
        object = params.toObject();
      },
      onBody() {},
      onBodyEnd() {},
    },
  );
  decoder.push(inputOf(vectorsOf("scgi", "to-server").find(({ name }) => name === "scgi-prototype-name")!));
  expect(Object.hasOwn(object!, "__proto__")).toBe(true);
  expect(Object.getPrototypeOf(object)).toBeNull();
});

// biome-ignore lint/suspicious/noExplicitAny: the shape depends on the outcome
function expected(vector: Vector, expect: Record<string, any>): Outcome {
  const { result, connection, error } = expect;
  if (result === "request") {
    const body = expect.body_latin1;
    return { result, params: expect.params, body, aborted: expect.aborted ?? false, connection, error };
  }
  if (result === "closed") return { result, connection, error };
  expectStated(vector, expect);
  return { result, status: expect.status, connection, error };
}

function expectStated(vector: Vector, stated: Record<string, unknown>): void {
  if (!("status" in stated)) throw new Error(`vector ${vector.name} states no status`);
}
