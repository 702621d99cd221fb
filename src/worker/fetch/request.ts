/** A real web-standard `Request` over an exchange. */

import { contentLength, requestHeaders } from "../../protocol/cgi/request-headers.ts";
import type { Exchange } from "../exchange.ts";
import { clientGone, ExchangeContext } from "../request-context.ts";
import { originalUrl, stripBasePath } from "../request-url.ts";

/**
 * Only `signal` is put off until somebody asks, it costs as much as the rest. What else a Request holds must be there from the start:
 * `new Request(request)` copies internals that no subclass can compute later.
 */
export class GatewayFetchRequest extends Request {
  readonly gateway: ExchangeContext;

  /** @throws TypeError for a host, a method or a header that a Request cannot have; the client's fault */
  constructor(exchange: Exchange, basePath: string) {
    const { params } = exchange;
    const original = originalUrl(params);
    const method = params.get("REQUEST_METHOD") ?? "GET";
    const hasBody = !exchange.bodyEmpty && method !== "GET" && method !== "HEAD";
    super(absoluteUrl(exchange, stripBasePath(original, basePath)), {
      method,
      headers: headerPairs(exchange),
      ...(hasBody && { body: bodyStream(exchange), duplex: "half" }),
    } as RequestInit);
    this.gateway = new ExchangeContext(exchange, original);
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

/**
 * Fetches the body as it is read. Not a byte stream: that one would take over the memory of each chunk, which is part of a buffer that
 * holds other requests' bytes too.
 */
function bodyStream(exchange: Exchange): ReadableStream<Uint8Array> {
  let taken = false;
  let ended = false;
  return new ReadableStream<Uint8Array>(
    {
      pull(controller) {
        if (taken) return exchange.resumeBody();
        taken = true;
        exchange.takeBody({
          onChunk(chunk) {
            if (!ended) controller.enqueue(chunk);
            return ended || (controller.desiredSize ?? 0) > 0;
          },
          onEnd(error) {
            if (ended) return;
            ended = true;
            if (error === undefined) controller.close();
            else controller.error(error);
          },
        });
        bodies.set(exchange, (error) => {
          if (!ended) controller.error(error);
          ended = true;
        });
      },
      cancel() {
        ended = true;
        if (taken) exchange.resumeBody();
      },
    },
    { highWaterMark: 0 },
  );
}

/** How to break off a body that is being read. */
const bodies = new WeakMap<Exchange, (error: Error) => void>();

/** The front end has gone away, or the response is complete: what has not arrived of the body will not. */
export function endBody(exchange: Exchange): void {
  bodies.get(exchange)?.(clientGone());
}
