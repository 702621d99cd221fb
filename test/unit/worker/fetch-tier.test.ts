import { afterEach, describe, expect, test, vi } from "vitest";
import { type FetchHandler, fetchTier } from "../../../src/worker/fetch/tier.ts";
import { FakeExchange } from "./fake-exchange.ts";

type Given = Parameters<FetchHandler>[0];

/** Serves one exchange and hands out the request. */
function serve(
  exchange: FakeExchange,
  handler: FetchHandler = () => new Response("ok"),
  basePath = "",
): Given {
  let request!: Given;
  fetchTier((given, env) => {
    request = given;
    return handler(given, env);
  }, basePath)(exchange);
  return request;
}

/** A handler that is still at work when the test ends. */
const forever: FetchHandler = () => new Promise(() => {});

async function answer(exchange: FakeExchange, handler: FetchHandler): Promise<string> {
  serve(exchange, handler);
  await exchange.over();
  return `${exchange.headText}${exchange.body}`;
}

afterEach(() => {
  vi.restoreAllMocks();
});

describe("the request", () => {
  test("is a real Request with the URL that the client used", () => {
    const exchange = new FakeExchange(
      { REQUEST_URI: "/app/a%20b?q=1", HTTPS: "on", HTTP_COOKIE: "a=1", HTTP_X_A: "1" },
      { more: ["HTTP_COOKIE", "b=2"] },
    );
    const request = serve(exchange, undefined, "/app");
    expect(request).toBeInstanceOf(Request);
    expect(request.url).toBe("https://example.test/a%20b?q=1");
    expect(request.headers.get("cookie")).toBe("a=1; b=2");
    expect(request.gateway.originalUrl).toBe("/app/a%20b?q=1");
    expect(request.body).toBeNull();
  });

  test("can be copied with its headers and its body", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST", HTTP_X_A: "1" }, { body: true });
    const copy = new Request(serve(exchange, forever));
    expect([copy.method, copy.headers.get("x-a")]).toEqual(["POST", "1"]);
    const text = copy.text();
    await vi.waitFor(() => expect(exchange.sink).toBeDefined());
    exchange.sink!.onChunk(Buffer.from("bo"));
    exchange.sink!.onChunk(Buffer.from("dy"));
    exchange.sink!.onEnd();
    expect(await text).toBe("body");
  });

  test("fetches its body only as fast as it is read", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    const request = serve(exchange, forever);
    expect(exchange.sink).toBeUndefined();
    const reader = request.body!.getReader();
    const first = reader.read();
    await vi.waitFor(() => expect(exchange.sink).toBeDefined());
    exchange.sink!.onChunk(Buffer.from("1"));
    expect(exchange.sink!.onChunk(Buffer.from("2"))).toBe(false);
    expect((await first).value).toEqual(Buffer.from("1"));
    await reader.read();
    const third = reader.read();
    await vi.waitFor(() => expect(exchange.resumes).toBeGreaterThan(0));
    exchange.sink!.onEnd();
    expect((await third).done).toBe(true);
  });

  test("has a body that fails when it ends short", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    let failure: unknown;
    serve(exchange, async (request) => {
      await request.text().catch((error: unknown) => {
        failure = error;
      });
      return new Response("noted");
    });
    await vi.waitFor(() => expect(exchange.sink).toBeDefined());
    exchange.sink!.onEnd(new Error("short"));
    await exchange.over();
    expect(failure).toMatchObject({ message: "short" });
    expect(exchange.body).toBe("noted");
  });

  test("that no URL can hold is refused with 400", async () => {
    const exchange = new FakeExchange({ HTTP_HOST: "a b" });
    fetchTier(() => new Response("never"), "")(exchange);
    await exchange.over();
    expect(exchange.status).toBe(400);
  });

  test("has a signal that fires when the front end goes away", async () => {
    const exchange = new FakeExchange({ REQUEST_METHOD: "POST" }, { body: true });
    const request = serve(exchange, forever);
    const body = request.text();
    const { signal } = request;
    expect(signal.aborted).toBe(false);
    exchange.abort();
    expect(signal.aborted).toBe(true);
    expect(signal.reason).toMatchObject({ code: "ECONNRESET" });
    await expect(body).rejects.toThrow(/aborted/);
  });
});

describe("the response", () => {
  test("of a string has its length", async () => {
    const text = await answer(
      new FakeExchange(),
      () => new Response("grüß", { status: 201, headers: { "X-A": "1" } }),
    );
    expect(text).toBe(
      "Status: 201 Created\r\ncontent-type: text/plain;charset=UTF-8\r\nx-a: 1\r\nContent-Length: 6\r\n\r\ngr\u00c3\u00bc\u00c3\u009f",
    );
  });

  test("keeps cookies apart", async () => {
    const text = await answer(new FakeExchange(), () => {
      const headers = new Headers([
        ["Set-Cookie", "a=1"],
        ["Set-Cookie", "b=2"],
      ]);
      return new Response(null, { headers });
    });
    expect(text).toBe("Status: 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n\r\n");
  });

  test.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("to %s with status %i has no body, and its stream is cancelled", async (method, status) => {
    const exchange = new FakeExchange({ REQUEST_METHOD: method });
    const cancelled = vi.fn();
    const stream = new ReadableStream({ cancel: cancelled });
    serve(exchange, () => new Response(status === 200 ? stream : null, { status }));
    await exchange.over();
    expect([exchange.status, exchange.body]).toEqual([status, ""]);
    if (status === 200) expect(cancelled).toHaveBeenCalledOnce();
  });

  test("is streamed piece by piece, the first without waiting for the second", async () => {
    const exchange = new FakeExchange();
    let controller!: ReadableStreamDefaultController;
    const stream = new ReadableStream({
      start(given) {
        controller = given;
      },
    });
    serve(exchange, () => new Response(stream));
    controller.enqueue(Buffer.from("first"));
    await vi.waitFor(() => expect(exchange.body).toBe("first"));
    expect(exchange.headText).toBe("Status: 200 OK\r\n\r\n");
    controller.enqueue(Buffer.from(" second"));
    controller.close();
    await exchange.over();
    expect(exchange.body).toBe("first second");
  });

  test("waits while the peer reads slowly, and is cancelled when it goes away", async () => {
    const exchange = new FakeExchange();
    exchange.writable = false;
    let pulls = 0;
    const cancelled = vi.fn();
    const stream = new ReadableStream({
      pull(controller) {
        pulls += 1;
        controller.enqueue(Buffer.alloc(1000));
      },
      cancel: cancelled,
    });
    serve(exchange, () => new Response(stream));
    await vi.waitFor(() => expect(exchange.onDrain).not.toBeNull());
    await new Promise(setImmediate);
    const before = pulls;
    expect(before).toBeLessThan(5);
    await vi.waitFor(() => {
      exchange.onDrain!();
      expect(pulls).toBeGreaterThan(before);
    });
    exchange.abort();
    await vi.waitFor(() => expect(cancelled).toHaveBeenCalledOnce());
  });

  test.each([
    [
      "throws",
      () => {
        throw new Error("oops");
      },
    ],
    ["rejects", () => Promise.reject(new Error("oops"))],
    ["returns no Response", () => "text" as never],
  ])("of a handler that %s is a 500", async (_how, handler) => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    expect(await answer(new FakeExchange(), handler)).toMatch(/^Status: 500 Internal Server Error\r\n/);
  });

  test("whose stream fails on the way is broken off", async () => {
    vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const exchange = new FakeExchange();
    let sent = false;
    const stream = new ReadableStream({
      async pull(controller) {
        if (sent) {
          await new Promise(setImmediate);
          controller.error(new Error("the source broke"));
          return;
        }
        sent = true;
        controller.enqueue(Buffer.from("some"));
      },
    });
    serve(exchange, () => new Response(stream));
    await exchange.over();
    expect(exchange.failure).toBe("the response body failed");
  });
});
