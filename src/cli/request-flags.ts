/** The arguments and flags of `gwpm request` as a request. */

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { resolve } from "node:path";
import type { Readable } from "node:stream";
import { parseDuration } from "../config/units.ts";
import { type Address, parseAddress } from "../core/address.ts";
import type { GatewayClientOptions, GatewayProtocol, GatewayRequest } from "../gateway/client.ts";
import { spool } from "../gateway/spool.ts";
import { CliError, UsageError } from "./failure.ts";
import type { Io } from "./verb.ts";

export interface RequestPlan {
  readonly target: GatewayClientOptions;
  readonly request: GatewayRequest;
}

interface Body {
  readonly body: Buffer | Readable;
  readonly length: number;
}

/** RFC 9110 §5.6.2. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;

/**
 * Reads a file or stdin where the flags ask for it.
 *
 * @throws UsageError, CliError
 */
export async function readRequest(
  address: string,
  uri: string,
  flags: Record<string, unknown>,
  io: Io,
): Promise<RequestPlan> {
  const target = readTarget(address, flags.protocol);
  const params = readParams((flags.param as string[] | undefined) ?? [], target.protocol!);
  const headers = readHeaders((flags.header as string[] | undefined) ?? []);
  const method = readMethod(flags.method, flags.data !== undefined);
  const timeoutMs = flags.timeout === undefined ? undefined : readTimeout(String(flags.timeout));
  const path = readUri(uri);
  const data = flags.data === undefined ? undefined : await readBody(String(flags.data), io);
  if (data !== undefined) completeHeaders(headers, data);
  return { target, request: { method, uri: path, headers, params, body: data?.body, timeoutMs } };
}

function readTarget(text: string, protocol: unknown): GatewayClientOptions {
  const isUrl = /^http:\/\//i.test(text);
  const chosen = protocol ?? (isUrl ? "http" : "fastcgi");
  if (!isProtocol(chosen)) {
    throw new UsageError(`request: --protocol ${String(chosen)} is not one`, "Write fastcgi, scgi or http.");
  }
  return { address: readAddress(isUrl ? withPort(text) : text), protocol: chosen };
}

function readAddress(text: string): Address {
  try {
    return parseAddress(text);
  } catch (error) {
    throw new UsageError(`request: ${(error as Error).message}`);
  }
}

/** `http://127.0.0.1/` → `127.0.0.1:80` */
function withPort(url: string): string {
  const host = url.slice("http://".length).replace(/\/$/, "");
  return /:\d+$/.test(host.replace(/^\[.*\]/, "")) ? host : `${host}:80`;
}

function isProtocol(value: unknown): value is GatewayProtocol {
  return value === "fastcgi" || value === "scgi" || value === "http";
}

function readUri(text: string): string {
  if (!text.startsWith("/") && text !== "*") {
    throw new UsageError(
      `request: the URI "${text}" is no path`,
      'Write it with a leading slash: "/status".',
    );
  }
  if (/[\0-\x20\x7f]/.test(text)) {
    throw new UsageError("request: the URI holds a space or a control character", 'Write a space as "%20".');
  }
  return text.replace(/[^\x21-\x7e]/gu, encodeURIComponent);
}

function readMethod(method: unknown, hasBody: boolean): string {
  if (method === undefined) return hasBody ? "POST" : "GET";
  if (typeof method === "string" && TOKEN.test(method)) return method;
  throw new UsageError(`request: "${String(method)}" is not a method`, "Write -X PUT, for example.");
}

function readTimeout(text: string): number {
  let ms: number;
  try {
    ms = parseDuration(text);
  } catch (error) {
    throw new UsageError(`request: --timeout ${(error as Error).message}`);
  }
  if (ms === 0) throw new UsageError("request: --timeout is 0", "Leave the flag out to wait without limit.");
  return ms;
}

function readHeaders(lines: readonly string[]): string[] {
  return lines.flatMap((line) => {
    const colon = line.indexOf(":");
    const name = line.slice(0, Math.max(colon, 0)).trim();
    const value = line.slice(colon + 1).trim();
    if (TOKEN.test(name) && !/[\0-\x08\x0a-\x1f\x7f]/.test(value)) return [name, bytes(value)];
    throw new UsageError(`request: -H ${JSON.stringify(line)} is not a header`, 'Write -H "Name: value".');
  });
}

function readParams(pairs: readonly string[], protocol: GatewayProtocol): Record<string, string> {
  if (pairs.length > 0 && protocol === "http") {
    throw new UsageError("request: HTTP carries no CGI variables", "Use -H, or another --protocol.");
  }
  const params: Record<string, string> = {};
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    if (equals < 1) {
      throw new UsageError(`request: --param ${JSON.stringify(pair)} is not NAME=VALUE`);
    }
    params[bytes(pair.slice(0, equals))] = bytes(pair.slice(equals + 1));
  }
  return params;
}

/** Text from the command line as it goes over the wire: UTF-8, one character a byte. */
function bytes(text: string): string {
  return Buffer.from(text, "utf8").toString("latin1");
}

async function readBody(data: string, io: Io): Promise<Body> {
  if (data === "-") {
    // Put aside first: many programs, PHP among them, read no body whose length they are not told.
    return spool(process.stdin, new AbortController().signal, () => {});
  }
  if (!data.startsWith("@")) {
    const body = Buffer.from(data, "utf8");
    return { body, length: body.length };
  }
  const file = resolve(io.cwd, data.slice(1));
  try {
    const { size } = await stat(file);
    return { body: createReadStream(file), length: size };
  } catch (error) {
    throw new CliError(`cannot read the request body: ${(error as Error).message}`, { cause: error });
  }
}

/** What curl adds as well. */
function completeHeaders(headers: string[], { length }: Body): void {
  const has = (name: string): boolean =>
    headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  if (!has("content-type")) headers.push("Content-Type", "application/x-www-form-urlencoded");
  if (!has("content-length")) headers.push("Content-Length", String(length));
}
