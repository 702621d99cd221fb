/** How repeated request headers become one value: the rules of node:http (`message.headers`), which frameworks rely on. */

/** Of these only the first counts. */
const SINGLE = new Set([
  "age",
  "authorization",
  "content-length",
  "content-type",
  "etag",
  "expires",
  "from",
  "host",
  "if-modified-since",
  "if-unmodified-since",
  "last-modified",
  "location",
  "max-forwards",
  "proxy-authorization",
  "referer",
  "retry-after",
  "server",
  "user-agent",
]);

/** One value of what was sent as two; `name` in lower case. */
export function joinHeader(name: string, first: string, next: string): string {
  if (SINGLE.has(name)) return first;
  return name === "cookie" ? `${first}; ${next}` : `${first}, ${next}`;
}

/**
 * A header list (name, value, name, value, …, names in lower case) as the object that node:http makes of it: without prototype,
 * repeated headers joined, `set-cookie` always an array.
 */
export function headersObject(list: readonly string[]): Record<string, string | string[]> {
  const headers: Record<string, string | string[]> = Object.create(null);
  for (let i = 0; i + 1 < list.length; i += 2) {
    const name = list[i]!;
    const value = list[i + 1]!;
    const known = headers[name];
    if (name === "set-cookie") headers[name] = known === undefined ? [value] : [...known, value];
    else headers[name] = known === undefined ? value : joinHeader(name, known as string, value);
  }
  return headers;
}
