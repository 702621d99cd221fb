/** Prints the response to `gwpm request`. */

import { isUtf8 } from "node:buffer";
import { STATUS_CODES } from "node:http";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import type { GatewayResponse } from "../gateway/client.ts";
import { printJson } from "./output.ts";
import type { Io } from "./verb.ts";

/**
 * The body as it comes, byte for byte.
 *
 * @throws GatewayError when it breaks off
 */
export async function printAnswer(
  { status, reason, headers, body }: GatewayResponse,
  { head }: { head: boolean },
  io: Io,
): Promise<void> {
  if (head) io.stdout.write(Buffer.from(headText(status, reason, headers), "latin1"));
  try {
    await pipeline(body, io.stdout, { end: false });
  } catch (error) {
    // `gwpm request … | head`: whoever reads has seen enough.
    if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
  }
}

/** @throws GatewayError when the body breaks off; nothing is printed then */
export async function printAnswerJson(response: GatewayResponse, io: Io): Promise<void> {
  const body = await buffer(response.body);
  const encoding = isUtf8(body) ? "utf8" : "base64";
  printJson(io, {
    status: response.status,
    reason: response.reason,
    headers: headersObject(response.headers),
    body: body.toString(encoding),
    bodyEncoding: encoding,
    stderr: response.stderr(),
    timings: roundTimings(response),
  });
}

function headText(status: number, reason: string, headers: readonly string[]): string {
  let text = `HTTP/1.1 ${status} ${reason || (STATUS_CODES[status] ?? "")}`.trimEnd();
  for (let i = 0; i < headers.length; i += 2) text += `\r\n${headers[i]}: ${headers[i + 1]}`;
  return `${text}\r\n\r\n`;
}

/** Names in lower case; what was sent more than once is a list. */
function headersObject(headers: readonly string[]): Record<string, string | string[]> {
  const object: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    const value = headers[i + 1]!;
    const known = object[name];
    object[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value];
  }
  return object;
}

function roundTimings({ timings: { connectedMs, headMs, totalMs } }: GatewayResponse): object {
  const round = (ms: number | null): number | null => (ms === null ? null : Math.round(ms * 1000) / 1000);
  return { connectedMs: round(connectedMs), headMs: round(headMs), totalMs: round(totalMs) };
}
