/** A real web-standard `Request` over an exchange. */

import { contentLength, requestHeaders } from "../../protocol/cgi/request-headers.ts";
import type { Exchange } from "../exchange.ts";
import { ExchangeContext } from "../request-context.ts";
import { originalUrl, stripBasePath } from "../request-url.ts";
import { FetchBody } from "./body.ts";

/**
 * Only `signal` is put off until somebody asks, it costs as much as the rest. What else a Request holds must be there from the start:
 * `new Request(request)` copies internals that no subclass can compute later.
 */
export class GatewayFetchRequest extends Request {
  readonly gateway: ExchangeContext;
  readonly #body: FetchBody | undefined;

  /** @throws TypeError for a host, a method or a header that a Request cannot have; the client's fault */
  constructor(exchange: Exchange, basePath: string) {
    const { params } = exchange;
    const original = originalUrl(params);
    const method = params.get("REQUEST_METHOD") ?? "GET";
    // The standard knows no GET with a body: what was sent of one is thrown away with the exchange.
    const hasBody = !exchange.bodyEmpty && method !== "GET" && method !== "HEAD";
    const body = hasBody ? new FetchBody(exchange) : undefined;
    super(absoluteUrl(exchange, stripBasePath(original, basePath)), {
      method,
      headers: headerPairs(exchange),
      ...(body && { body: body.stream, duplex: "half" }),
    } as RequestInit);
    this.gateway = new ExchangeContext(exchange, original);
    this.#body = body;
  }

  /** For the tier: what has not arrived of the body will not. */
  endBody(reason: Error): void {
    this.#body?.breakOff(reason);
  }

  static {
    // Not written as an accessor of the class: the types declare a property where the standard has an accessor.
    Object.defineProperty(GatewayFetchRequest.prototype, "signal", {
      configurable: true,
      enumerable: true,
      get(this: GatewayFetchRequest) {
        return this.gateway.signal;
      },
    });
  }
}

/** The scheme and host as the client used them. */
function absoluteUrl({ params }: Exchange, path: string): string {
  const https = params.get("HTTPS") ?? "";
  const secure =
    (https !== "" && https !== "0" && https.toLowerCase() !== "off") ||
    params.get("REQUEST_SCHEME")?.toLowerCase() === "https";
  const host = params.get("HTTP_HOST") || params.get("SERVER_NAME") || "localhost";
  return `${secure ? "https" : "http"}://${host}${path === "*" ? "/" : path}`;
}

function headerPairs(exchange: Exchange): [string, string][] {
  const unknownLength = !exchange.bodyEmpty && contentLength(exchange.params) === undefined;
  const list = requestHeaders(exchange.params, unknownLength);
  const pairs: [string, string][] = [];
  for (let i = 0; i + 1 < list.length; i += 2) pairs.push([list[i]!, list[i + 1]!]);
  return pairs;
}
