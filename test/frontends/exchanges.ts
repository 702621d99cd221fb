/** The exchanges that must look the same whatever runs `compat.mjs`: a name and a request each. */

import { randomBytes } from "node:crypto";
import type { WireRequest } from "../support/http.ts";

export interface NamedExchange {
  readonly name: string;
  readonly request: WireRequest;
  /** Where gwpm means to answer otherwise than node:http does; see {@link Deviation}. */
  readonly deviation?: Deviation;
}

/**
 * - `states the length`: `writeHead` sends the head at once under node:http, which then has to send the body in chunks. gwpm waits for
 *   the body and, where it is whole, says how long it is: without that an SCGI response that was cut off looks complete.
 * - `no Trailer`: CGI has no trailers, so none is announced.
 */
export type Deviation = "states the length" | "no Trailer";

const get = (name: string, target: string, more: Partial<WireRequest> = {}): NamedExchange => ({
  name,
  request: { target, ...more },
});

const statesLength = (name: string, target: string): NamedExchange => ({
  ...get(name, target),
  deviation: "states the length",
});

const FORM = "application/x-www-form-urlencoded";
const MEGABYTE = 1024 * 1024;

/** Not compressible and not repeating, so that a lost or doubled piece changes the digest. */
const FIFTY_MEGABYTES = randomBytes(50 * MEGABYTE);
const CHUNKS = Array.from({ length: 300 }, (_, index) => randomBytes(1 + ((index * 977) % 20_000)));

const plain: NamedExchange[] = [
  get("GET", "/hello"),
  get("GET of JSON", "/hello/json"),
  get("GET by HTTP/1.0", "/hello", { version: "1.0" }),
  get("writeHead with a reason and headers", "/write-head"),
  statesLength("writeHead with an array of headers", "/write-head/array"),
  get("an empty response", "/empty"),
  get("write and end without a head", "/implicit"),
  get("write and end without a head by HTTP/1.0", "/implicit", { version: "1.0" }),
  get("strings in several encodings, buffers and byte arrays", "/encodings"),
  get("latin1 in a header and the body", "/latin1"),
  get("a header removed before the end", "/removed"),
  get("a header appended to", "/appended"),
  get("6 kB of headers", "/big-headers"),
  { ...get("trailers", "/trailers"), deviation: "no Trailer" },
  get("404", "/no/such/page?x=1"),
];

const requests: NamedExchange[] = [
  get("a query string with odd escapes", "/echo?a=%20b+c&%C3%A4=%zz&&=;x[]=1&q='\"%00\\"),
  get("a path with escapes, dots and double slashes", "/echo?from=/a//b/%2e%2e/c%2Fd/../e"),
  get("an empty query", "/echo?"),
  get("repeated request headers", "/echo", {
    headers: [
      ["X-Many", "one"],
      ["Accept", "text/html"],
      ["X-Many", "two"],
      ["Accept", "*/*;q=0.1"],
      ["x-many", "three, four"],
    ],
  }),
  get("repeated singletons and cookies", "/echo", {
    headers: [
      ["Cookie", "a=1"],
      ["User-Agent", "first"],
      ["Cookie", "b=2; c=3"],
      ["Referer", "http://one.test/"],
    ],
  }),
  get("an empty header value", "/echo", { headers: [["X-Empty", ""]] }),
  get("a header value with latin1, tabs and blanks", "/echo", {
    headers: [["X-Odd", "caf\u00e9 \t  two"]],
  }),
  get("a header of 3 kB", "/echo", { headers: [["X-Long", "v".repeat(3_000)]] }),
  get("Authorization", "/echo", { headers: [["Authorization", "Basic dXNlcjpwYXNz"]] }),
  get("Host with a port", "/echo", { headers: [["Host", "example.test:8443"]] }),
  ...["PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "POST", "GET"].map((method) =>
    get(`${method} with a body`, "/echo", {
      method,
      headers: [["Content-Type", "text/plain"]],
      body: Buffer.from(`by ${method}`),
    }),
  ),
  ...["POST", "DELETE", "OPTIONS"].map((method) => get(`${method} without a body`, "/echo", { method })),
  get("cookies both ways", "/cookies", { headers: [["Cookie", "session=abc; theme=dark"]] }),
];

const bodies: NamedExchange[] = [
  get("POST of a form", "/form", {
    method: "POST",
    headers: [["Content-Type", FORM]],
    body: Buffer.from("name=J%C3%B6rg+M&empty=&name=again&x=%26%3D"),
  }),
  get("POST of JSON, mirrored", "/mirror", {
    method: "POST",
    headers: [["Content-Type", "application/json"]],
    body: Buffer.from('{"a":"\u00e4","n":null}'),
  }),
  get("POST of an empty body", "/digest", { method: "POST", body: Buffer.alloc(0) }),
  get("POST of one byte", "/digest", { method: "POST", body: Buffer.from("x") }),
  get("POST of exactly one full record", "/digest", { method: "POST", body: randomBytes(65_535) }),
  get("POST of 50 MB", "/digest", { method: "POST", body: FIFTY_MEGABYTES, deadlineMs: 60_000 }),
  get("POST of 5 MB to a reader that pauses", "/digest/paused", {
    method: "POST",
    body: FIFTY_MEGABYTES.subarray(0, 5 * MEGABYTE),
  }),
  get("POST in chunks", "/digest", { method: "POST", body: CHUNKS }),
  get("POST in chunks, given back", "/collect", { method: "POST", body: CHUNKS }),
  get("POST in chunks, empty", "/echo", { method: "POST", body: [] }),
  get("POST of 2 MB, given back", "/collect", {
    method: "POST",
    body: FIFTY_MEGABYTES.subarray(0, 2 * MEGABYTE),
  }),
  get("POST answered before its body is read", "/too-large", {
    method: "POST",
    body: FIFTY_MEGABYTES.subarray(0, 3 * MEGABYTE),
  }),
  get("POST answered first and read afterwards", "/late-body", {
    method: "POST",
    body: FIFTY_MEGABYTES.subarray(0, 3 * MEGABYTE),
  }),
  get("POST to a page that does not exist", "/nowhere", { method: "POST", body: Buffer.from("lost") }),
];

const responses: NamedExchange[] = [
  get("a response in several chunks", "/chunks"),
  get("a response in 500 chunks", "/chunks?count=500"),
  get("20 MB with a length", `/large?bytes=${20 * MEGABYTE}&length`, { deadlineMs: 60_000 }),
  get("20 MB and some without a length", `/large?bytes=${20 * MEGABYTE + 4_711}`, { deadlineMs: 60_000 }),
  get("20 MB by HTTP/1.0", `/large?bytes=${20 * MEGABYTE}`, { version: "1.0", deadlineMs: 60_000 }),
  ...[
    "/hello",
    "/hello/json",
    "/implicit",
    "/large?bytes=100000&length",
    "/chunks",
    "/empty",
    "/nowhere",
  ].map((target) => get(`HEAD ${target}`, target, { method: "HEAD" })),
  ...[
    "code=201&body=made",
    "code=204",
    "code=204&body=ignored",
    "code=205",
    "code=304&etag",
    "code=304&etag&body=ignored",
    "code=400&body=bad",
    "code=418",
    "code=500&body=own+error",
    "code=503&reason=Be+Right+Back&body=soon",
    "code=299&reason=Odd",
  ].map((query) => get(`status ${query}`, `/status?${query}`)),
  ...[
    "code=301&to=/hello",
    "code=302&to=/hello?a=b%2526c&body=moved",
    "code=302&to=hello",
    "code=302&to=http://gwpm.test/hello",
    "code=303&to=https://other.test:8443/x%3Fy",
    "code=307&to=/hello",
    "code=308&to=//other.test/hello",
    "code=201&to=/made/1&body=made",
    "code=200&to=/somewhere&body=a+location+is+not+a+redirect",
  ].map((query) => statesLength(`redirect ${query}`, `/redirect?${query}`)),
];

export const EXCHANGES: readonly NamedExchange[] = [...plain, ...requests, ...bodies, ...responses];

/** What the application breaks off half-way: the client must be able to tell. */
export const BROKEN_OFF: readonly NamedExchange[] = [
  get("a response shorter than its length", "/short"),
  get("a stream without a length", "/broken-stream"),
];
