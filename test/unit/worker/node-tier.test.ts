import { once } from "node:events";
import { IncomingMessage, ServerResponse } from "node:http";
import { Readable, type Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterEach, describe, expect, test, vi } from "vitest";
import { type NodeListener, nodeTier } from "../../../src/worker/node/tier.ts";
import type { GatewayContext } from "../../../src/worker/request-context.ts";
import { FakeExchange } from "./fake-exchange.ts";

type Request = IncomingMessage & { gateway: GatewayContext };

/** Serves one exchange and hands out what the listener got. */
function serve(exchange: FakeExchange, listener: NodeListener = () => {}, basePath = "") {
  let request!: Request;
  let response!: ServerResponse;
  nodeTier((req, res) => {
    request = req as Request;
    response = res;
    return listener(req, res);
  }, basePath)(exchange);
  return { request, response };
}

function events(emitter: NodeJS.EventEmitter, ...names: string[]): string[] {
  const seen: string[] = [];
  for (const name of names) emitter.on(name, () => seen.push(name));
  return seen;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the request", () => {
  test("is a real IncomingMessage with what the CGI variables say", () => {
    const exchange = new FakeExchange({
      REQUEST_METHOD: "PUT",
      REQUEST_URI: "/a/b%2Fc?q=1",
      HTTPS: "on",
      REMOTE_ADDR: "203.0.113.9",
      REMOTE_PORT: "4711",
      SERVER_ADDR: "::1",
      SERVER_PORT: "443",
      HTTP_X_THING: "1",
      CONTENT_TYPE: "text/plain",
    });
    const { request } = serve(exchange);
    expect(request).toBeInstanceOf(IncomingMessage);
    expect(request).toMatchObject({ method: "PUT", url: "/a/b%2Fc?q=1", httpVersion: "1.1", complete: true });
    expect(request.headers).toEqual({ host: "example.test", "x-thing": "1", "content-type": "text/plain" });
    expect(request.headersDistinct["x-thing"]).toEqual(["1"]);
    expect(request.rawHeaders).toContain("x-thing");
    expect(request.trailers).toEqual({});
    expect(request.socket).toMatchObject({
      encrypted: true,
      remoteAddress: "203.0.113.9",
      remotePort: 4711,
      remoteFamily: "IPv4",
      localPort: 443,
      localFamily: "IPv6",
    });
    expect(request.gateway.params.get("SERVER_PORT")).toBe("443");
  });

  test("merges repeated headers as node:http does", () => {
    const more = ["HTTP_COOKIE", "b=2", "HTTP_X_A", "2", "HTTP_HOST", "evil.test"];
    const exchange = new FakeExchange({ HTTP_COOKIE: "a=1", HTTP_X_A: "1" }, { more });
    const { request } = serve(exchange);
    expect(request.headers).toMatchObject({ cookie: "a=1; b=2", "x-a": "1, 2", host: "example.test" });
  });

  test.each([
    ["/app/x?y", "/app", "/x?y"],
    ["/app", "/app/", "/"],
    ["/app?y", "/app", "/?y"],
    ["/apple", "/app", "/apple"],
    ["http://example.test/x", "", "/x"],
    ["https://example.test?y", "", "/?y"],
    ["*", "", "*"],
  ])("%s mounted at %j has the url %s", (uri, basePath, url) => {
    const { request } = serve(new FakeExchange({ REQUEST_URI: uri }), undefined, basePath);
    expect(request.url).toBe(url);
  });

  test("keeps the target as it was sent in originalUrl", () => {
    const { request } = serve(new FakeExchange({ REQUEST_URI: "/app/x" }), undefined, "/app");
    expect(request.gateway.originalUrl).toBe("/app/x");
  });

  test("has a url without REQUEST_URI, too", () => {
    const exchange = new FakeExchange({
      REQUEST_URI: "",
      SCRIPT_NAME: "/s",
      PATH_INFO: "/a b",
      QUERY_STRING: "q",
    });
    expect(serve(exchange).request.url).toBe("/s/a%20b?q");
  });

  test.each([
    ["HTTP/1.0", "1.0"],
    ["HTTP/2.0", "1.1"],
    ["HTTP/3", "1.1"],
  ])("of a client that speaks %s has the version %s", (protocol, version) => {
    expect(serve(new FakeExchange({ SERVER_PROTOCOL: protocol })).request.httpVersion).toBe(version);
  });

  test("streams its body and asks for more only when there is room", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    const { request } = serve(exchange);
    expect(request.headers["transfer-encoding"]).toBe("chunked");
    expect(request.complete).toBe(false);
    request.read();
    expect(exchange.sink!.onChunk(Buffer.alloc(10))).toBe(true);
    expect(exchange.sink!.onChunk(Buffer.alloc(200_000))).toBe(false);
    exchange.sink!.onEnd();
    expect(request.complete).toBe(true);
    let bytes = 0;
    for await (const chunk of request) bytes += (chunk as Buffer).length;
    expect(bytes).toBe(200_010);
  });

  test("is not read from the wire before somebody reads it", () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    serve(exchange);
    expect(exchange.sink).toBeUndefined();
  });

  test("with a body that ends short fails, and can still be answered", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    const { request, response } = serve(exchange);
    request.read();
    const failed = once(request, "error");
    exchange.sink!.onChunk(Buffer.from("half"));
    exchange.sink!.onEnd(new Error("short"));
    expect((await failed)[0].message).toBe("short");
    expect(request.complete).toBe(false);
    response.end("noted");
    await exchange.over();
    expect(exchange.body).toBe("noted");
    expect(exchange.failure).toBeUndefined();
  });

  test("ends and closes for those who listen, though nobody reads it", async () => {
    const exchange = new FakeExchange();
    const { request, response } = serve(exchange);
    const closed = once(request, "close");
    response.end();
    await closed;
    expect(request.readableEnded).toBe(true);
  });

  test("that is answered before its body has arrived does not end as if it were whole", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    const { request, response } = serve(exchange);
    const failed = once(request, "error");
    request.read();
    exchange.sink!.onChunk(Buffer.from("half"));
    response.end("early");
    expect((await failed)[0].code).toBe("ECONNRESET");
    expect(exchange.failure).toBeUndefined();
  });
});

describe("an abort", () => {
  test("is heard on the request, the response, the socket and the signal", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    const { request, response } = serve(exchange);
    const onRequest = events(request, "aborted", "error", "close");
    const onResponse = events(response, "finish", "close");
    const onSocket = events(request.socket, "close");
    const { signal } = request.gateway;
    exchange.abort();
    await new Promise(setImmediate);
    expect(onRequest).toEqual(["aborted", "error", "close"]);
    expect(onResponse).toEqual(["close"]);
    expect(onSocket).toEqual(["close"]);
    expect(signal.aborted).toBe(true);
    expect([request.aborted, request.destroyed, response.destroyed]).toEqual([true, true, true]);
  });

  test("that nobody listens for harms nobody, and later writes are dropped", async () => {
    const exchange = new FakeExchange();
    const { response } = serve(exchange);
    exchange.abort();
    await new Promise(setImmediate);
    response.write("x", () => {});
    response.end("y");
    await new Promise(setImmediate);
    expect(exchange.body).toBe("");
    expect(response.writableFinished).toBe(false);
  });

  test("does not follow a complete response", async () => {
    const exchange = new FakeExchange();
    const { request, response } = serve(exchange);
    const { signal } = request.gateway;
    response.end("done");
    await exchange.over();
    expect(signal.aborted).toBe(false);
    expect(request.aborted).toBe(false);
  });
});

describe("the response", () => {
  test("has Node's Content-Length and nothing of the connection", async () => {
    const exchange = new FakeExchange();
    const { response } = serve(exchange);
    expect(response).toBeInstanceOf(ServerResponse);
    response.setHeader("X-One", 1);
    response.setHeader("Set-Cookie", ["a=1", "b=2"]);
    response.appendHeader("X-Two", "2");
    response.setHeader("Connection", "close");
    response.setHeader("Transfer-Encoding", "chunked");
    response.end("hello");
    await exchange.over();
    expect(exchange.headText).toBe(
      "Status: 200 OK\r\nX-One: 1\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Two: 2\r\nContent-Length: 5\r\n\r\n",
    );
    expect(exchange.body).toBe("hello");
  });

  test.each([
    ["an object", { "Content-Type": "text/plain", "X-A": ["1", "2"] }],
    ["a flat array", ["Content-Type", "text/plain", "X-A", "1", "X-A", "2"]],
    [
      "an array of pairs",
      [
        ["Content-Type", "text/plain"],
        ["X-A", ["1", "2"]],
      ],
    ],
  ])("takes the headers of writeHead() as %s", async (_form, headers) => {
    const exchange = new FakeExchange();
    const { response } = serve(exchange);
    response.writeHead(201, "Made", headers as never).end();
    await exchange.over();
    expect(exchange.headText).toBe(
      "Status: 201 Made\r\nContent-Type: text/plain\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 0\r\n\r\n",
    );
  });

  test("keeps headers set before writeHead()", async () => {
    const exchange = new FakeExchange();
    const { response } = serve(exchange);
    response.setHeader("X-A", "1");
    response.writeHead(404, { "X-B": "2" });
    expect(response.headersSent).toBe(true);
    expect(() => response.setHeader("X-C", "3")).toThrow(
      expect.objectContaining({ code: "ERR_HTTP_HEADERS_SENT" }),
    );
    response.end();
    await exchange.over();
    expect(exchange.headText).toBe("Status: 404 Not Found\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n");
  });

  test("refuses header injection as node:http does", () => {
    const { response } = serve(new FakeExchange());
    const invalid = expect.objectContaining({ code: "ERR_INVALID_CHAR" });
    expect(() => response.setHeader("X", "a\r\nSet-Cookie: b=1")).toThrow(invalid);
    expect(() => response.writeHead(200, { X: "a\nb" })).toThrow(invalid);
    expect(() => response.writeHead(200, ["X", "a\nb"] as never)).toThrow(invalid);
    expect(() => response.writeHead(200, { "X: 1\r\nY": "2" })).toThrow(
      expect.objectContaining({ code: "ERR_INVALID_HTTP_TOKEN" }),
    );
    expect(() => response.writeHead(200, "OK\r\nX: 1")).toThrow(invalid);
    expect(response.headersSent).toBe(false);
  });

  test.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("to %s with status %i has no body", async (method, status) => {
    const exchange = new FakeExchange({ REQUEST_METHOD: method });
    const { response } = serve(exchange);
    response.statusCode = status;
    response.write("not sent");
    response.end("neither");
    await exchange.over();
    expect(exchange.body).toBe("");
    expect(exchange.status).toBe(status);
  });

  test("sends its head with flushHeaders(), and no interim responses", async () => {
    const exchange = new FakeExchange();
    const { response } = serve(exchange);
    const called = vi.fn();
    response.writeContinue(called);
    response.writeProcessing();
    response.writeEarlyHints({ link: "</style.css>; rel=preload" });
    expect(exchange.headText).toBeUndefined();
    response.flushHeaders();
    expect(exchange.headText).toBe("Status: 200 OK\r\n\r\n");
    response.end();
    await exchange.over();
    expect(called).toHaveBeenCalledOnce();
    expect(exchange.body).toBe("");
  });

  test("emits 'finish' and then 'close', and calls back", async () => {
    const exchange = new FakeExchange();
    const { response } = serve(exchange);
    const seen = events(response, "finish", "close");
    const called = vi.fn();
    response.end("x", called);
    expect(response.writableEnded).toBe(true);
    expect(response.writableFinished && seen.includes("finish")).toBe(false);
    await once(response, "close");
    expect(seen).toEqual(["finish", "close"]);
    expect(called).toHaveBeenCalledOnce();
    expect(response.writableFinished).toBe(true);
  });

  test("waits for 'drain' when the peer reads slowly", async () => {
    const exchange = new FakeExchange();
    const { response } = serve(exchange);
    exchange.writable = false;
    expect(response.write("a")).toBe(false);
    expect(response.writableNeedDrain).toBe(true);
    exchange.writable = true;
    const drained = once(response, "drain");
    exchange.onDrain!();
    await drained;
    expect(response.writableNeedDrain).toBe(false);
    expect(response.write("b")).toBe(true);
    response.end();
  });

  test("is the end of a pipeline, and goes with it when it fails", async () => {
    const good = new FakeExchange();
    await pipeline(Readable.from([Buffer.from("a"), Buffer.from("b")]), serve(good).response);
    expect(good.body).toBe("ab");

    const bad = new FakeExchange();
    const source = async function* () {
      yield Buffer.from("a");
      throw new Error("the source broke");
    };
    await expect(pipeline(source(), serve(bad).response)).rejects.toThrow("the source broke");
    await bad.over();
    expect(bad.failure).toBe("the source broke");
  });

  test("can be piped straight from the request", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    const { request, response } = serve(exchange);
    const echoed = pipeline(request, response);
    await vi.waitFor(() => expect(exchange.sink).toBeDefined());
    exchange.sink!.onChunk(Buffer.from("echo "));
    exchange.sink!.onChunk(Buffer.from("me"));
    exchange.sink!.onEnd();
    await echoed;
    expect(exchange.body).toBe("echo me");
  });

  test("keeps strictContentLength's promise", () => {
    const { response } = serve(new FakeExchange());
    response.strictContentLength = true;
    response.setHeader("Content-Length", 3);
    expect(() => response.end("four")).toThrow(
      expect.objectContaining({ code: "ERR_HTTP_CONTENT_LENGTH_MISMATCH" }),
    );
  });

  test("survives the swap of prototypes that express does", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    const { request, response } = serve(exchange);
    Object.setPrototypeOf(request, Object.create(IncomingMessage.prototype));
    Object.setPrototypeOf(response, Object.create(ServerResponse.prototype));
    const echoed = pipeline(request, response);
    await vi.waitFor(() => expect(exchange.sink).toBeDefined());
    exchange.sink!.onChunk(Buffer.from("still here"));
    exchange.sink!.onEnd();
    await echoed;
    expect(exchange.headText).toBe("Status: 200 OK\r\n\r\n");
    expect(exchange.body).toBe("still here");
    expect(request.headers.host).toBe("example.test");
  });
});

describe("a handler that fails", () => {
  test.each([
    [
      "throws",
      () => {
        throw new Error("oops");
      },
    ],
    [
      "rejects",
      async () => {
        throw new Error("oops");
      },
    ],
  ])("because it %s gets a 500, and its error is reported", async (_how, listener) => {
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const exchange = new FakeExchange({ REQUEST_URI: "/x\u0007y" });
    serve(exchange, listener);
    await exchange.over();
    expect(exchange.headText).toBe(
      "Status: 500 Internal Server Error\r\nContent-Type: text/plain\r\nContent-Length: 22\r\n\r\n",
    );
    expect(stderr.mock.calls.join()).toMatch(/GET \/x\\u0007y: Error: oops/);
  });

  test("after the head has gone out breaks the response off", async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const exchange = new FakeExchange();
    serve(exchange, (_request, response) => {
      response.write("some");
      throw new Error("oops");
    });
    await exchange.over();
    expect(exchange.failure).toBe("oops");
  });

  test("with headers set loses them", async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const exchange = new FakeExchange();
    serve(exchange, (_request, response) => {
      response.setHeader("Content-Length", 5);
      response.statusMessage = "Fine";
      throw new Error("oops");
    });
    await exchange.over();
    expect(exchange.headText).toContain("Status: 500 Internal Server Error\r\n");
    expect(exchange.headText).toContain("Content-Length: 22");
  });

  test("by destroying the response is seen as incomplete", async () => {
    const exchange = new FakeExchange();
    const { request } = serve(exchange, (_request, response) => void response.destroy());
    await exchange.over();
    expect(exchange.failure).toMatch(/destroyed/);
    expect(request.destroyed).toBe(true);
  });
});

test("a timeout is heard, and ends the request where nobody listens", async () => {
  vi.useFakeTimers();
  try {
    const heard = new FakeExchange();
    const { response } = serve(heard);
    const onTimeout = vi.fn();
    response.setTimeout(100, onTimeout);
    vi.advanceTimersByTime(101);
    expect(onTimeout).toHaveBeenCalledOnce();
    expect(heard.ended).toBe(false);

    const unheard = new FakeExchange();
    serve(unheard).request.setTimeout(100);
    vi.advanceTimersByTime(101);
    expect(unheard.failure).toBe("timed out");
  } finally {
    vi.useRealTimers();
  }
});

test("a download stops at what the peer can take", async () => {
  const exchange = new FakeExchange();
  exchange.writable = false;
  let produced = 0;
  const endless = new Readable({
    read() {
      produced += 65_536;
      this.push(Buffer.alloc(65_536));
    },
  });
  const { response } = serve(exchange, (_request, res) => void endless.pipe(res as unknown as Writable));
  await new Promise(setImmediate);
  expect(produced).toBeLessThan(1_000_000);
  endless.destroy();
  response.destroy();
});
