import { describe, expect, it } from "vitest";
import { headersObject } from "../../../src/protocol/cgi/header-fields.ts";
import { requestHeaders } from "../../../src/protocol/cgi/request-headers.ts";
import type { ResponseHead } from "../../../src/protocol/cgi/response-head-decoder.ts";
import { ProtocolError } from "../../../src/protocol/error.ts";
import { FastCgiClient, type ResponseEnd } from "../../../src/protocol/fastcgi/client.ts";
import { Type } from "../../../src/protocol/fastcgi/constants.ts";
import { RecordDecoder } from "../../../src/protocol/fastcgi/decoder.ts";
import {
  encodeEndOfStream,
  encodeResponse,
  encodeStream,
  retirementFor,
} from "../../../src/protocol/fastcgi/encode.ts";
import { encodeLength, readLength } from "../../../src/protocol/fastcgi/name-values.ts";
import { DEFAULTS, feed, fin, type RecordedRequest, type Recording, record } from "./recording-session.ts";
import {
  chunkings,
  type EncodeInput,
  type ExpectedReply,
  type ExpectedRequest,
  inputOf,
  type Vector,
  vectorsOf,
} from "./vectors.ts";

describe("FastCGI vectors, server side", () => {
  for (const vector of vectorsOf("fcgi", "to-server")) {
    it(vector.name, () => {
      for (const { how, chunks } of cuts(vector)) {
        for (const inputReused of [false, true]) {
          const recording = run(vector, chunks, inputReused);
          expect(outcome(recording), how).toEqual(expected(vector));
          checkReplies(vector, recording, how);
        }
      }
    });
  }
});

/** Where a vector has chunks, the later ones are sent after the first has been answered. */
function* cuts(vector: Vector): Generator<{ how: string; chunks: Buffer[][] }> {
  const parts = (vector.chunks ?? [vector.input_hex]).map((hex) => Buffer.from(hex, "hex"));
  for (const [index, part] of parts.entries()) {
    for (const { how, chunks } of chunkings(part)) {
      yield {
        how: `part ${index}, ${how}`,
        chunks: parts.map((other, i) => (i === index ? chunks : [other])),
      };
    }
  }
}

function run(vector: Vector, parts: Buffer[][], inputReused: boolean): Recording {
  const recording = record({
    maxParams: vector.config?.max_params_bytes ?? DEFAULTS.maxParams,
    multiplex: vector.config?.multiplex ?? true,
    roles: vector.config?.roles ?? ["responder"],
    inputReused,
  });
  const shared = Buffer.alloc(70_000);
  parts.forEach((chunks, index) => {
    if (index > 0) answerAll(recording);
    for (const chunk of chunks) {
      if (!inputReused) feed(recording, chunk);
      else feed(recording, shared.subarray(0, chunk.copy(shared)));
      shared.fill(0xee);
    }
  });
  if (vector.then === "fin") fin(recording);
  return recording;
}

function answerAll(recording: Recording): void {
  for (const { request } of recording.requests) recording.session.finish(request);
}

function outcome(recording: Recording) {
  const requests = recording.requests.map((recorded) => ({
    id: recorded.request.id,
    role: recorded.request.role,
    keep_conn: recorded.request.keepConnection,
    params: { ...recorded.request.params.toObject() },
    stdin: Buffer.concat(recorded.stdin).toString("latin1"),
    stdin_complete: recorded.stdinComplete,
    aborted: recorded.aborted,
    data: Buffer.concat(recorded.data).toString("latin1"),
  }));
  return {
    requests: requests.sort((a, b) => a.id - b.id),
    connection: recording.closed ? "close-now" : recording.session.closing ? "close-after-response" : "open",
    error: recording.errors.find((error) => !ANSWERED.has(error.code))?.code ?? null,
  };
}

/** Refusals that the vectors do not count as errors. */
const ANSWERED = new Set(["FCGI_CANT_MPX_CONN", "FCGI_UNKNOWN_ROLE", "FCGI_OVERLOADED"]);

function expected(vector: Vector): unknown {
  const requests = (vector.expect.requests as ExpectedRequest[]).map((request) => ({
    id: request.id,
    role: request.role,
    keep_conn: request.keep_conn,
    params: vector.duplicates ? { ...request.params, ...mergedHeaders(vector) } : request.params,
    stdin: request.stdin_latin1 ?? longBody(vector, request.stdin_len),
    stdin_complete: request.stdin_complete,
    aborted: request.aborted,
    data: vector.data_latin1 ?? "",
  }));
  return {
    requests: requests.sort((a, b) => a.id - b.id),
    connection: vector.expect.connection,
    error: vector.expect.error,
  };
}

function mergedHeaders(vector: Vector): Record<string, string> {
  const entries = Object.entries(vector.headers ?? {});
  return Object.fromEntries(
    entries.map(([name, value]) => [`HTTP_${name.toUpperCase().replaceAll("-", "_")}`, value]),
  );
}

/** Bodies that the vectors give by their length alone: the content of the STDIN records. */
function longBody(vector: Vector, length: number): string {
  const parts: Buffer[] = [];
  let type = 0;
  const decoder = new RecordDecoder({
    onRecord(recordType) {
      type = recordType;
      return true;
    },
    onContent(chunk, start, end) {
      if (type === Type.STDIN) parts.push(chunk.subarray(start, end));
      return true;
    },
  });
  decoder.push(inputOf(vector));
  const body = Buffer.concat(parts);
  expect(body.length).toBe(length);
  return body.toString("latin1");
}

function checkReplies(vector: Vector, recording: Recording, how: string): void {
  const expectedReplies = vector.expect.replies as ExpectedReply[];
  expect(recording.replies.length, how).toBe(expectedReplies.length);
  expectedReplies.forEach((reply, i) => {
    const bytes = recording.replies[i]!;
    if (reply.hex !== undefined) expect(bytes.toString("hex"), how).toBe(reply.hex);
    else checkEnd(bytes, reply, how);
  });
}

/** A refusal must never be a bare END_REQUEST: a response with the stated status comes first. */
function checkEnd(bytes: Buffer, reply: ExpectedReply, how: string): void {
  const read = readResponses(bytes, reply.id!);
  expect(read.end?.protocolStatus, how).toBe(reply.protocol_status);
  expect(read.head?.status, how).toBe(reply.stdout_status);
}

describe("FastCGI vectors, client side", () => {
  for (const vector of vectorsOf("fcgi", "to-client")) {
    it(vector.name, () => {
      for (const { how, chunks } of chunkings(inputOf(vector))) {
        if (vector.mode === "get-values") expect(readValues(chunks), how).toEqual(vector.expect);
        else expect(clientOutcome(chunks), how).toEqual(vector.expect);
      }
    });
  }
});

function readValues(chunks: readonly Buffer[]): unknown {
  let answer: Map<string, string> | null | undefined;
  const client = new FastCgiClient();
  client.expectValues((values) => {
    answer = values;
  });
  for (const chunk of chunks) client.push(chunk);
  if (answer === undefined) return "no answer";
  return { values: answer && Object.fromEntries(answer), error: answer === null ? "FCGI_UNSUPPORTED" : null };
}

function clientOutcome(chunks: readonly Buffer[]): unknown {
  const read = readResponses(Buffer.concat(chunks), 1, chunks);
  const headers = (read.head?.headers ?? []).map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text));
  return {
    status: read.head?.status ?? null,
    headers: { ...headersObject(headers) },
    body_latin1: Buffer.concat(read.body).toString("latin1"),
    stderr_latin1: Buffer.concat(read.stderr).toString("latin1"),
    app_status: read.end?.appStatus,
    protocol_status: read.end?.protocolStatus,
    complete: read.end?.complete,
    error: read.end?.error?.code ?? null,
  };
}

function readResponses(bytes: Buffer, id: number, chunks: readonly Buffer[] = [bytes]) {
  let head: ResponseHead | undefined;
  let end: ResponseEnd | undefined;
  const body: Buffer[] = [];
  const stderr: Buffer[] = [];
  const client = new FastCgiClient();
  client.expect(id, {
    onHead(value) {
      head = value;
    },
    onBody: (chunk) => body.push(chunk),
    onStderr: (chunk) => stderr.push(chunk),
    onEnd(value) {
      end = value;
    },
  });
  for (const chunk of chunks) client.push(chunk);
  return { head, end, body, stderr };
}

describe("FastCGI vectors, encoding", () => {
  for (const vector of vectorsOf("fcgi", "nv-length")) {
    it(vector.name, () => {
      const encoded = encodeLength(vector.input as number);
      expect(encoded.toString("hex")).toBe(vector.expect.output_hex);
      expect(readLength(encoded.toString("latin1"), 0)).toBe(vector.input);
    });
  }

  for (const vector of vectorsOf("fcgi", "encode")) {
    it(vector.name, () => {
      const input = vector.input as EncodeInput;
      if (input.stdout_len !== undefined) {
        checkLongStream(input, vector.expect.output_hex);
        return;
      }
      const retirement = retirementFor(input.retire === "haproxy" ? "HAProxy 2.6.12" : undefined, false);
      const encoded = encodeResponse(
        input.id,
        Buffer.from(`${input.head}${input.body}`, "latin1"),
        retirement,
      );
      expect(encoded.toString("hex")).toBe(vector.expect.output_hex);
    });
  }
});

/** The vector splits at 65,535 with a byte of padding; it names splitting at 65,528, without, as equally valid, which is what we do. */
function checkLongStream(input: EncodeInput, hex: string): void {
  const content = Buffer.alloc(input.stdout_len!);
  const encoded = [...encodeStream(Type.STDOUT, input.id, content), encodeEndOfStream(Type.STDOUT, input.id)];
  const lengths = recordLengths(Buffer.concat(encoded));
  expect(lengths).toEqual([65_528, 472, 0]);
  expect(recordLengths(Buffer.from(hex, "hex"))).toEqual([65_535, 465, 0]);
}

function recordLengths(bytes: Buffer): number[] {
  const lengths: number[] = [];
  const decoder = new RecordDecoder({
    onRecord(_type, _id, length) {
      lengths.push(length);
      return true;
    },
    onContent: () => true,
  });
  decoder.push(bytes);
  return lengths;
}

describe("what a vector's request means over HTTP", () => {
  for (const vector of vectorsOf("fcgi", "to-server").filter(({ headers }) => headers !== undefined)) {
    it(vector.name, () => {
      const recording = record();
      feed(recording, inputOf(vector));
      const [{ request }] = recording.requests as [RecordedRequest];
      expect(headersObject(requestHeaders(request.params))).toMatchObject(vector.headers!);
    });
  }

  it("is an error type that callers can tell", () => {
    const recording = record();
    feed(recording, Buffer.from([2]));
    expect(recording.errors[0]).toBeInstanceOf(ProtocolError);
  });
});
