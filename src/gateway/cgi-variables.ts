/** The CGI variables of a call (RFC 3875 §4.1): those that follow from the request, and over them those that the caller gives. */

import { requestVariables } from "../protocol/cgi/request-variables.ts";
import type { Call } from "./upstream.ts";

/** What a caller who does not say is taken for: somebody on this machine. */
const LOCAL = "127.0.0.1";

export function callVariables({ method, uri, headers, params, length }: Call): Map<string, string> {
  const { name, port } = serverOf(headers);
  const variables = requestVariables(
    {
      method,
      uri: originForm(uri),
      remoteAddress: LOCAL,
      serverName: name,
      serverPort: port,
      ...(length === null ? {} : { contentLength: length }),
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
