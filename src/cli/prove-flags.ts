/** The flags of `gwpm prove` as a plan. */

import { parseDuration, parseSize } from "../config/units.ts";
import { UsageError } from "./failure.ts";

export const DEFAULTS = { for: "10s", clients: "8", body: "1KB", uri: "/", timeout: "30s" } as const;

/** Times in milliseconds. */
export interface ProvePlan {
  readonly pool: string;
  /** How long requests are sent. */
  readonly forMs: number;
  readonly reloadEveryMs: number | null;
  readonly killEveryMs: number | null;
  /** Requests a second; `null`: as fast as the clients get their answers. */
  readonly rate: number | null;
  /** Requests under way at a time, at most. */
  readonly clients: number;
  /** Of a POST; 0: GETs only. */
  readonly bodyBytes: number;
  /** Path and query. */
  readonly uri: string;
  /** The front end; `null`: the pool's own sockets. */
  readonly url: URL | null;
  /** `null`: where it suits the pool. */
  readonly keepAlive: boolean | null;
  /** An answer that does not name its request is none. */
  readonly expectEcho: boolean;
  /** For one request. */
  readonly timeoutMs: number;
}

/** More would mostly measure this process. */
const MOST_CLIENTS = 1_000;
const MOST_RATE = 1_000_000;
const MOST_BODY = 64 * 1024 * 1024;

/** @throws UsageError */
export function readPlan(pool: string, flags: Record<string, unknown>): ProvePlan {
  const forMs = readTime("for", flags.for ?? DEFAULTS.for);
  const url = flags.url === undefined ? null : readUrl(String(flags.url));
  const path = url === null ? DEFAULTS.uri : url.pathname + url.search;
  return {
    pool,
    forMs,
    url,
    uri: readUri(flags.uri === undefined ? path : String(flags.uri)),
    reloadEveryMs: readInterval("reload-every", flags.reloadEvery, forMs),
    killEveryMs: readInterval("kill-every", flags.killEvery, forMs),
    rate: flags.rate === undefined ? null : readCount("rate", flags.rate, MOST_RATE),
    clients: readCount("clients", flags.clients ?? DEFAULTS.clients, MOST_CLIENTS),
    bodyBytes: readBody(flags.body ?? DEFAULTS.body),
    keepAlive: typeof flags.keepAlive === "boolean" ? flags.keepAlive : null,
    expectEcho: flags.expectEcho === true,
    timeoutMs: readTime("timeout", flags.timeout ?? DEFAULTS.timeout),
  };
}

function readTime(name: string, value: unknown): number {
  const ms = tryUnit(name, () => parseDuration(value));
  if (ms === 0) throw new UsageError(`prove: --${name} is 0`, `Write a duration such as --${name} 10s.`);
  return ms;
}

function readInterval(name: string, value: unknown, forMs: number): number | null {
  if (value === undefined) return null;
  const ms = readTime(name, value);
  if (ms < forMs) return ms;
  throw new UsageError(
    `prove: --${name} ${String(value)} is no shorter than the run, which lasts ${forMs} ms: it would never come to that`,
    "Make --for longer.",
  );
}

function readCount(name: string, value: unknown, most: number): number {
  const text = String(value);
  const count = Number(text);
  if (/^\d{1,7}$/.test(text) && count >= 1 && count <= most) return count;
  throw new UsageError(`prove: --${name} ${text} is not a whole number from 1 to ${most}`);
}

function readBody(value: unknown): number {
  const bytes = value === "0" ? 0 : tryUnit("body", () => parseSize(value));
  if (bytes <= MOST_BODY) return bytes;
  throw new UsageError(`prove: --body ${String(value)} is more than the 64MB that are held in memory`);
}

function tryUnit(name: string, parse: () => number): number {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(`prove: --${name} ${(error as Error).message}`);
  }
}

function readUri(text: string): string {
  if (/^\/[\x21-\x7e]*$/.test(text) && !text.includes("#")) return text;
  throw new UsageError(
    `prove: the URI "${text}" is not a path as it stands in a request`,
    'Write it with a leading slash and percent-encoded: "/a%20b?c=d".',
  );
}

function readUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url?.protocol === "http:") return url;
  throw new UsageError(
    `prove: --url ${text} is not the URL of an HTTP front end`,
    "Write --url http://127.0.0.1:8080/path; TLS is not spoken here.",
  );
}
