/** What our encoders write, our decoders read: whatever the content, wherever it is cut. */

import fc from "fast-check";
import { expect, it } from "vitest";
import { FastCgiClient, type ResponseEnd } from "../../../src/protocol/fastcgi/client.ts";
import { Role, Type } from "../../../src/protocol/fastcgi/constants.ts";
import {
  encodeBeginRequest,
  encodeEndOfStream,
  encodeParams,
  encodeResponse,
  encodeStream,
} from "../../../src/protocol/fastcgi/encode.ts";
import { ScgiDecoder } from "../../../src/protocol/scgi/decoder.ts";
import { encodeScgiHead } from "../../../src/protocol/scgi/encode.ts";
import { feed, record } from "./recording-session.ts";

const LATIN1 = fc.string({ unit: fc.nat(255).map((code) => String.fromCharCode(code)), maxLength: 300 });
const NAME = fc.stringMatching(/^[A-Z][A-Z_]{0,200}$/).filter((name) => name !== "HTTP_PROXY");
const VARIABLES = fc.dictionary(NAME, LATIN1, { maxKeys: 40, noNullPrototype: true });
const BODY = fc.uint8Array({ maxLength: 3000 }).map((bytes) => Buffer.from(bytes));
const CUTS = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 12 });

function cut(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const points = [
    0,
    ...cuts.map((part) => Math.floor(part * bytes.length)).sort((a, b) => a - b),
    bytes.length,
  ];
  return points.slice(1).map((end, i) => bytes.subarray(points[i], end));
}

it("FastCGI requests", () => {
  fc.assert(
    fc.property(
      VARIABLES,
      BODY,
      fc.integer({ min: 1, max: 65_535 }),
      CUTS,
      fc.boolean(),
      (variables, body, id, cuts, inputReused) => {
        const bytes = Buffer.concat([
          encodeBeginRequest(id, Role.RESPONDER, true),
          encodeParams(id, Object.entries(variables)),
          ...encodeStream(Type.STDIN, id, body),
          encodeEndOfStream(Type.STDIN, id),
        ]);
        const recording = record({ inputReused });
        for (const chunk of cut(bytes, cuts)) feed(recording, chunk);
        expect(recording.errors).toEqual([]);
        const [recorded] = recording.requests;
        expect({ ...recorded!.request.params.toObject() }).toEqual(variables);
        expect(Buffer.concat(recorded!.stdin).equals(body)).toBe(true);
        expect(recorded!.stdinComplete).toBe(true);
      },
    ),
  );
});

it("PARAMS that take several records", () => {
  const variables = Object.fromEntries(
    Array.from({ length: 50 }, (_, i) => [`NAME_${i}`, "v".repeat(3000 + i)]),
  );
  const bytes = Buffer.concat([
    encodeBeginRequest(1, Role.RESPONDER, true),
    encodeParams(1, Object.entries(variables)),
    encodeEndOfStream(Type.STDIN, 1),
  ]);
  const recording = record();
  feed(recording, bytes);
  expect({ ...recording.requests[0]!.request.params.toObject() }).toEqual(variables);
});

it("FastCGI responses", () => {
  fc.assert(
    fc.property(BODY, fc.integer({ min: 1, max: 65_535 }), CUTS, (body, id, cuts) => {
      const bytes = encodeResponse(id, Buffer.concat([Buffer.from("Status: 200 OK\r\n\r\n"), body]));
      const received: Buffer[] = [];
      let end: ResponseEnd | undefined;
      const client = new FastCgiClient();
      client.expect(id, {
        onHead: (head) => expect(head.status).toBe(200),
        onBody: (chunk) => received.push(chunk),
        onStderr() {},
        onEnd(value) {
          end = value;
        },
      });
      for (const chunk of cut(bytes, cuts)) client.push(chunk);
      expect(Buffer.concat(received).equals(body)).toBe(true);
      expect(end).toMatchObject({ complete: true, protocolStatus: 0 });
      expect(client.atBoundary).toBe(true);
    }),
  );
});

it("SCGI requests", () => {
  fc.assert(
    fc.property(VARIABLES, BODY, CUTS, fc.boolean(), (given, body, cuts, inputReused) => {
      const entries = Object.entries(given).map(
        ([name, value]) => [name, value.replaceAll("\0", "")] as const,
      );
      const variables = { ...Object.fromEntries(entries), CONTENT_LENGTH: String(body.length), SCGI: "1" };
      const bytes = Buffer.concat([encodeScgiHead(Object.entries(variables)), body]);
      const received: Buffer[] = [];
      let params: Record<string, string> = {};
      const decoder = new ScgiDecoder(
        { maxHeaders: 1_000_000, inputReused, strict: true },
        {
          onRequest(value) {
            params = value.toObject();
          },
          onBody: (chunk) => received.push(chunk),
          onBodyEnd() {},
        },
      );
      for (const chunk of cut(bytes, cuts)) decoder.push(chunk);
      expect({ ...params }).toEqual(variables);
      expect(Buffer.concat(received).equals(body)).toBe(true);
      expect(decoder.done).toBe(true);
    }),
  );
});

it("refuses variables that SCGI cannot carry", () => {
  const bad = expect.objectContaining({ code: "CGI_INVALID_VARIABLE" });
  expect(() =>
    encodeScgiHead([
      ["CONTENT_LENGTH", "0"],
      ["A", "x\0B"],
    ]),
  ).toThrow(bad);
  expect(() =>
    encodeScgiHead([
      ["CONTENT_LENGTH", "0"],
      ["", "x"],
    ]),
  ).toThrow(bad);
  expect(() => encodeScgiHead([["A", "x"]])).toThrow(bad);
});
