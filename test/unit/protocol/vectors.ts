/** The conformance vectors, and the ways to cut their input into chunks. */

import { readFileSync } from "node:fs";

export interface ExpectedRequest {
  readonly id: number;
  readonly role: string;
  readonly keep_conn: boolean;
  readonly params: Record<string, string>;
  readonly stdin_latin1?: string;
  readonly stdin_len: number;
  readonly stdin_complete: boolean;
  readonly aborted: boolean;
}

export interface ExpectedReply {
  readonly type: "GET_VALUES_RESULT" | "END_REQUEST" | "UNKNOWN_TYPE";
  readonly id?: number;
  readonly protocol_status?: number;
  readonly stdout_status?: number;
  readonly hex?: string;
}

/** Loosely typed on purpose: which fields are there depends on protocol and direction. */
export interface Vector {
  readonly name: string;
  readonly protocol: "fcgi" | "scgi";
  readonly direction: "to-server" | "to-client" | "encode" | "nv-length";
  readonly input_hex: string;
  readonly chunks?: readonly string[];
  readonly then?: "fin";
  readonly order?: "any";
  readonly duplicates?: boolean;
  readonly body_mismatch?: "short" | "long";
  readonly headers?: Record<string, string>;
  readonly dispatch?: string;
  readonly capture?: boolean;
  readonly hint?: string;
  readonly mode?: string;
  readonly data_latin1?: string;
  readonly config?: {
    readonly max_params_bytes?: number;
    readonly multiplex?: boolean;
    readonly roles?: readonly ("responder" | "authorizer" | "filter")[];
  };
  readonly input?: number | EncodeInput;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly expect: Record<string, any>;
}

export interface EncodeInput {
  readonly id: number;
  readonly head?: string;
  readonly body?: string;
  readonly retire?: string;
  readonly stdout_len?: number;
}

interface VectorFile {
  readonly assumed_config: { readonly max_params_bytes: number; readonly max_header_bytes: number };
  readonly vectors: readonly Vector[];
}

const FILE = new URL("../../fixtures/vectors/protocol-vectors.json", import.meta.url);
export const { vectors, assumed_config: ASSUMED }: VectorFile = JSON.parse(readFileSync(FILE, "utf8"));

export function vectorsOf(protocol: Vector["protocol"], direction: Vector["direction"]): Vector[] {
  return vectors.filter((vector) => vector.protocol === protocol && vector.direction === direction);
}

export function inputOf(vector: Vector): Buffer {
  return Buffer.from(vector.chunks?.join("") ?? vector.input_hex, "hex");
}

/** Inputs up to this long are cut everywhere. */
const EVERYWHERE = 2048;
const EDGE = 600;

/** Where to cut an input in two: everywhere, or for long inputs near both ends and around the multiples of what readers like to read. */
export function splitPoints(input: Buffer): number[] {
  const points: number[] = [];
  for (let at = 1; at < input.length; at++) {
    const nearEdge = at < EDGE || at > input.length - EDGE;
    const nearRecord = (at & 0xffff) < 24 || (at & 0xffff) > 0xffe8;
    if (input.length <= EVERYWHERE || nearEdge || nearRecord) points.push(at);
  }
  return points;
}

/** The input whole, in two pieces cut at every point, and byte by byte. */
export function* chunkings(input: Buffer): Generator<{ readonly how: string; readonly chunks: Buffer[] }> {
  yield { how: "whole", chunks: input.length === 0 ? [] : [input] };
  for (const at of splitPoints(input)) {
    yield { how: `cut at ${at}`, chunks: [input.subarray(0, at), input.subarray(at)] };
  }
  yield { how: "byte by byte", chunks: Array.from(input, (_, at) => input.subarray(at, at + 1)) };
}
