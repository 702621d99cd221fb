/** Lists of header fields (name, value, …), and the fields in them that concern one connection alone (RFC 9110 §7.6.1). */

const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

/**
 * The fields that go on to the next hop.
 *
 * @param headers name, value, …
 * @param also further names to drop, in lower case
 */
export function endToEnd(headers: readonly string[], also: readonly string[] = []): string[] {
  const named = namedByConnection(headers);
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    if (HOP_BY_HOP.has(name) || named.has(name) || also.includes(name)) continue;
    kept.push(headers[i]!, headers[i + 1]!);
  }
  return kept;
}

/** What `Connection: a, b` declares to be of this connection only. */
function namedByConnection(headers: readonly string[]): Set<string> {
  const named = new Set<string>();
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i]!.toLowerCase() !== "connection") continue;
    for (const token of headers[i + 1]!.split(",")) named.add(token.trim().toLowerCase());
  }
  return named;
}

/** @param name in lower case */
export function hasField(headers: readonly string[], name: string): boolean {
  return headers.some((text, i) => i % 2 === 0 && text.toLowerCase() === name);
}
