/** An HTTP request as CGI variables (RFC 3875 §4.1), for the client side: probes, `gwpm request`, the built-in gateway. */

import { joinHeader } from "./header-fields.ts";

/** What is known of the request beside its headers. */
export interface RequestLine {
  readonly method: string;
  /** As it stands in the request line: path and query, still encoded. */
  readonly uri: string;
  /** @default "HTTP/1.1" */
  readonly httpVersion?: string;
  /** @default "http" */
  readonly scheme?: "http" | "https";
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly serverName?: string;
  readonly serverPort?: number;
  /** The body's length in bytes where it is known before the request is sent. */
  readonly contentLength?: number;
  /** Sent as SERVER_SOFTWARE. */
  readonly software?: string;
}

/** Not passed on: connection matters, what has a variable of its own, and `Proxy`, which would become HTTP_PROXY (httpoxy). */
const NOT_PASSED = new Set([
  "connection",
  "content-length",
  "content-type",
  "keep-alive",
  "proxy",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
]);

const NAME = /^[!#$%&'*+\-.^`|~0-9A-Za-z]+$/;

/**
 * @param headers name, value, name, value, …; repeated names become one variable. Names with an underscore are left out, as nginx and
 * others do: they could not be told from the ones with a hyphen
 * @returns variables in the order in which they are best sent
 */
export function requestVariables(line: RequestLine, headers: readonly string[]): Map<string, string> {
  const question = line.uri.indexOf("?");
  const path = question < 0 ? line.uri : line.uri.slice(0, question);
  const variables = new Map<string, string>([
    ["REQUEST_METHOD", line.method],
    ["REQUEST_URI", line.uri],
    ["QUERY_STRING", question < 0 ? "" : line.uri.slice(question + 1)],
    ["SCRIPT_NAME", ""],
    ["PATH_INFO", decodePath(path)],
    ["DOCUMENT_URI", path],
    ["GATEWAY_INTERFACE", "CGI/1.1"],
    ["SERVER_PROTOCOL", line.httpVersion ?? "HTTP/1.1"],
    ["SERVER_SOFTWARE", line.software ?? "gwpm"],
    ["REQUEST_SCHEME", line.scheme ?? "http"],
    ["CONTENT_LENGTH", line.contentLength === undefined ? "" : String(line.contentLength)],
  ]);
  if (line.scheme === "https") variables.set("HTTPS", "on");
  if (line.remoteAddress !== undefined) variables.set("REMOTE_ADDR", line.remoteAddress);
  if (line.remotePort !== undefined) variables.set("REMOTE_PORT", String(line.remotePort));
  if (line.serverName !== undefined) variables.set("SERVER_NAME", line.serverName);
  if (line.serverPort !== undefined) variables.set("SERVER_PORT", String(line.serverPort));
  addHeaders(variables, headers);
  return variables;
}

function addHeaders(variables: Map<string, string>, headers: readonly string[]): void {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase();
    const value = headers[i + 1]!;
    if (name === "content-type") variables.set("CONTENT_TYPE", value);
    if (NOT_PASSED.has(name) || !NAME.test(name)) continue;
    const variable = `HTTP_${name.replaceAll("-", "_").toUpperCase()}`;
    const known = variables.get(variable);
    variables.set(variable, known === undefined ? value : joinHeader(name, known, value));
  }
}

/** PATH_INFO is decoded (RFC 3875 §4.1.5), byte by byte; a malformed escape stays as it is. */
function decodePath(path: string): string {
  return path.replace(/%([0-9A-Fa-f]{2})/g, (sequence, hex: string) => {
    const code = Number.parseInt(hex, 16);
    // A NUL would end the string in C programs, and the variable in SCGI.
    return code === 0 ? sequence : String.fromCharCode(code);
  });
}
