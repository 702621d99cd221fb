/** CGI variables back to the HTTP request headers that they were made from (RFC 3875 §4.1.18). */

import type { Params } from "../params.ts";

const NAME_CACHE_LIMIT = 1024;
const DIGITS = /^[0-9]+$/;

/** `HTTP_USER_AGENT` → `user-agent`; `""` for variables that are not passed on. */
const headerNames = new Map<string, string>([
  ["HTTP_", ""],
  // A client header "Content_Type" must not override what the front end says of the body.
  ["HTTP_CONTENT_TYPE", ""],
  ["HTTP_CONTENT_LENGTH", ""],
  // The front end has undone the transfer coding; see `bodyOfUnknownLength`.
  ["HTTP_TRANSFER_ENCODING", ""],
]);

/**
 * The request's headers: name, value, name, value, …, names in lower case, repetitions kept as they were sent. An empty CONTENT_TYPE and a
 * CONTENT_LENGTH that is no number (nginx sends `""`, Caddy `-1`) count as not sent.
 *
 * @param bodyOfUnknownLength adds `transfer-encoding: chunked`, by which HTTP software knows that a body without length follows
 */
export function requestHeaders(params: Params, bodyOfUnknownLength = false): string[] {
  const list = params.pairs("HTTP_");
  let size = 0;
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = headerNames.get(list[i]!) ?? headerName(list[i]!);
    if (name === "") continue;
    list[size++] = name;
    list[size++] = list[i + 1]!;
  }
  list.length = size;
  const type = params.get("CONTENT_TYPE");
  if (type !== undefined && type !== "") list.push("content-type", type);
  const length = contentLength(params);
  if (length !== undefined) list.push("content-length", length);
  else if (bodyOfUnknownLength) list.push("transfer-encoding", "chunked");
  return list;
}

/** CONTENT_LENGTH where it is a number of bytes, else `undefined`. */
export function contentLength(params: Params): string | undefined {
  const length = params.get("CONTENT_LENGTH");
  return length !== undefined && DIGITS.test(length) ? length : undefined;
}

/** The header that a variable `HTTP_…` stands for, in lower case. */
export function headerName(variable: string): string {
  const known = headerNames.get(variable);
  if (known !== undefined) return known;
  const name = variable.slice(5).replaceAll("_", "-").toLowerCase();
  if (headerNames.size < NAME_CACHE_LIMIT && variable.length <= 64) headerNames.set(variable, name);
  return name;
}
