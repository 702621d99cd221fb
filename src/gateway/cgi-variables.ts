/** The CGI variables of a call (RFC 3875 §4.1): those that follow from the request, and over them those that the caller gives. */

import { requestVariables } from "../protocol/cgi/request-variables.ts";
import { expectsBody } from "./body-length.ts";
import { hasField } from "./hop-by-hop.ts";
import type { Call } from "./upstream.ts";

/** What a caller who does not say is taken for: somebody on this machine. */
const LOCAL = "127.0.0.1";

/** @param always whether to say CONTENT_LENGTH=0 where there is no body; else it is empty, as nginx sends it, and programs see no such header */
export function callVariables(call: Call, always: boolean): Map<string, string> {
  const { method, uri, headers, params, body, length } = call;
  const { name, port } = serverOf(headers);
  const isSaid = always || body !== null || expectsBody(method) || hasField(headers, "content-length");
  const variables = requestVariables(
    {
      method,
      uri: originForm(uri),
      remoteAddress: LOCAL,
      serverName: name,
      serverPort: port,
      ...(length === null || !isSaid ? {} : { contentLength: length }),
    },
    headers,
  );
  variables.set("REQUEST_URI", uri);
  variables.set("DOCUMENT_URI", variables.get("PATH_INFO")!); // decoded, as nginx sends it
  for (const [key, value] of Object.entries(params)) variables.set(key, value);
  return variables;
}

/** A client that takes us for a proxy sends `http://host/path?query` (RFC 9112 §3.2.2); the path is what follows the host. */
function originForm(uri: string): string {
  const rest = /^[a-z][a-z0-9+.-]*:\/\/[^/?#]*(.*)$/i.exec(uri)?.[1];
  if (rest === undefined) return uri;
  return rest.startsWith("/") ? rest : `/${rest}`;
}

/** SERVER_NAME and SERVER_PORT from the Host field; a port that is not given is the scheme's own. */
function serverOf(headers: readonly string[]): { name: string; port: number } {
  const at = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === "host");
  const host = at < 0 ? "" : headers[at + 1]!;
  const match = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]/?#@\s]+)(?::(\d{1,5}))?$/.exec(host);
  return { name: match?.[1] ?? "localhost", port: Number(match?.[2] ?? 80) };
}
