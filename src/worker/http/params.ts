/** The CGI variables of a plain HTTP request, for handlers that ask for them in an `http` pool. */

import type { IncomingMessage } from "node:http";
import type { TLSSocket } from "node:tls";
import { requestVariables } from "../../protocol/cgi/request-variables.ts";
import type { Params } from "../../protocol/params.ts";

/** Made from the request when first asked. */
export class HttpParams implements Params {
  readonly #request: IncomingMessage;
  readonly #uri: string;
  #variables: Map<string, string> | undefined;

  /** @param uri the request target as the client sent it */
  constructor(request: IncomingMessage, uri: string) {
    this.#request = request;
    this.#uri = uri;
  }

  get size(): number {
    return this.#all().size;
  }

  get(name: string): string | undefined {
    return this.#all().get(name);
  }

  pairs(prefix = ""): string[] {
    const list: string[] = [];
    for (const [name, value] of this.#all()) if (name.startsWith(prefix)) list.push(name, value);
    return list;
  }

  toObject(): Record<string, string> {
    return Object.assign(Object.create(null) as Record<string, string>, Object.fromEntries(this.#all()));
  }

  #all(): Map<string, string> {
    this.#variables ??= variablesOf(this.#request, this.#uri);
    return this.#variables;
  }
}

function variablesOf(request: IncomingMessage, uri: string): Map<string, string> {
  const { socket } = request;
  const length = Number(request.headers["content-length"]);
  return requestVariables(
    {
      method: request.method ?? "GET",
      uri,
      httpVersion: `HTTP/${request.httpVersion}`,
      scheme: (socket as TLSSocket).encrypted === true ? "https" : "http",
      ...(socket.remoteAddress !== undefined && { remoteAddress: socket.remoteAddress }),
      ...(socket.remotePort !== undefined && { remotePort: socket.remotePort }),
      ...(socket.localAddress !== undefined && { serverName: socket.localAddress }),
      ...(socket.localPort !== undefined && { serverPort: socket.localPort }),
      ...(Number.isInteger(length) && { contentLength: length }),
    },
    request.rawHeaders,
  );
}
