import { describe, expect, it, vi } from "vitest";
import type { Exchange } from "../../../src/worker/exchange.ts";
import {
  type GatewayHandler,
  type GatewayRequest,
  type GatewayResponse,
  gatewayLane,
} from "../../../src/worker/gateway-lane.ts";
import { fastcgiRequest, type RequestShape, stdin, stdinEnd } from "./requests.ts";
import { fastcgi, feed, fin, responseIn, settle } from "./wire.ts";

function open(handler: GatewayHandler, basePath = "") {
  return fastcgi({ handler: gatewayLane(handler, basePath) });
}

async function serve(handler: GatewayHandler, shape: RequestShape = {}, basePath = "") {
  const wire = open(handler, basePath);
  await feed(wire, fastcgiRequest(shape));
  return { wire, ...responseIn(wire.socket.output) };
}

/** Runs with the worker's stderr kept. */
async function quietly<T>(run: () => Promise<T>): Promise<{ result: T; logged: string }> {
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  try {
    const result = await run();
    return { result, logged: stderr.mock.calls.map(([text]) => String(text)).join("") };
  } finally {
    stderr.mockRestore();
  }
}

describe("the request", () => {
  it("shows method, URL, variables and headers", async () => {
    const shown: unknown[] = [];
    await serve(
      (request, response) => {
        shown.push(request.method, request.url, request.originalUrl, request.role);
        shown.push(request.param("REMOTE_USER"), request.param("NOT_SENT"));
        shown.push(
          request.header("Accept"),
          request.header("content-type"),
          request.header("content-length"),
        );
        shown.push({ ...request.headers });
        response.send(204);
      },
      {
        params: {
          REQUEST_METHOD: "POST",
          REQUEST_URI: "/app/a%2Fb?q",
          REMOTE_USER: "ada",
          HTTP_ACCEPT: "*/*",
          CONTENT_TYPE: "",
          CONTENT_LENGTH: "2",
          HTTP_PROXY: "http://evil.test",
        },
        body: "hi",
      },
      "/app",
    );
    expect(shown).toEqual([
      "POST",
      "/a%2Fb?q",
      "/app/a%2Fb?q",
      "responder",
      "ada",
      undefined,
      "*/*",
      undefined,
      "2",
      { host: "example.test", accept: "*/*", "content-length": "2" },
    ]);
  });

  it("gives the body chunk by chunk, and whole", async () => {
    const each = await serve(
      async (request, response) => {
        const chunks: string[] = [];
        for await (const chunk of request.body) chunks.push(chunk.toString());
        response.send(200, {}, chunks.join("|"));
      },
      { body: "hello" },
    );
    expect(each.body.toString()).toBe("hello");
    const whole = await serve(async (request, response) => response.send(200, {}, await request.buffer()), {
      body: "hello",
    });
    expect(whole.body.toString()).toBe("hello");
    const empty = await serve(async (request, response) => response.send(200, {}, await request.buffer()));
    expect(empty.body.toString()).toBe("");
  });

  it("answers 413 where the body is over the limit that nobody catches", async () => {
    const handler: GatewayHandler = async (request, response) => {
      response.send(200, {}, await request.buffer({ limit: 4 }));
    };
    expect((await serve(handler, { body: "hello" })).head?.status).toBe(413);
    expect((await serve(handler, { body: "hell" })).head?.status).toBe(200);
  });

  it("reads no faster than the handler", async () => {
    const handled: number[] = [];
    let go = () => {};
    const wire = open(async (request, response) => {
      for await (const chunk of request.body) {
        handled.push(chunk.length);
        await new Promise<void>((resolve) => {
          go = resolve;
        });
      }
      response.send(200);
    });
    await feed(wire, fastcgiRequest({ body: null }));
    for (let i = 0; i < 20; i++) wire.socket.push(stdin(Buffer.alloc(30_000)));
    wire.socket.push(stdinEnd());
    await settle();
    expect(handled).toEqual([30_000]);
    expect(wire.socket.isPaused()).toBe(true);
    while (handled.length < 20) {
      go();
      await settle();
    }
    go();
    await settle();
    expect(handled).toHaveLength(20);
    expect(responseIn(wire.socket.output).head?.status).toBe(200);
  });

  it("lets the rest of a body through that the handler no longer wants", async () => {
    const wire = open(async (request, response) => {
      for await (const _ of request.body) break;
      response.send(200);
    });
    await feed(wire, fastcgiRequest({ body: null }), stdin("a"), stdin("b".repeat(400_000)), stdinEnd());
    expect(responseIn(wire.socket.output).head?.status).toBe(200);
    expect(wire.connection.atBoundary).toBe(true);
  });

  it("fails the body and fires the signal when the front end goes away", async () => {
    const errors: unknown[] = [];
    let signal: AbortSignal | undefined;
    const wire = open(async (request) => {
      signal = request.signal;
      try {
        await request.buffer();
      } catch (error) {
        errors.push((error as { code: string }).code);
        throw error;
      }
    });
    await feed(wire, fastcgiRequest({ body: null, params: { CONTENT_LENGTH: "10" } }), stdin("abc"));
    expect(signal?.aborted).toBe(false);
    const { logged } = await quietly(() => fin(wire));
    expect(errors).toEqual(["ECONNRESET"]);
    expect(signal?.aborted).toBe(true);
    expect(logged).toBe("");
  });

  it("fails a body that ends before its announced length", async () => {
    const { result, logged } = await quietly(() =>
      serve(async (request, response) => response.send(200, {}, await request.buffer()), {
        params: { CONTENT_LENGTH: "10" },
        body: "abc",
      }),
    );
    expect(result.head?.status).toBe(500);
    expect(logged).toContain("3 of 10 bytes");
  });
});

describe("the response", () => {
  it("is sent at once with its length", async () => {
    const { head, body } = await serve((_request, response) =>
      response.send(
        201,
        { "content-type": "text/plain", "set-cookie": ["a=1", "b=2"], "x-n": 5, none: undefined },
        "grüße",
      ),
    );
    expect(head).toEqual({
      status: 201,
      reason: "Created",
      headers: [
        "content-type",
        "text/plain",
        "set-cookie",
        "a=1",
        "set-cookie",
        "b=2",
        "x-n",
        "5",
        "Content-Length",
        "7",
      ],
    });
    expect(body.toString()).toBe("grüße");
  });

  it("streams, and waits for a peer that reads slowly", async () => {
    let written = 0;
    const wire = open(async (_request, response) => {
      response.head(200, ["content-type", "text/plain"]);
      for (let i = 0; i < 50; i++) {
        await response.write(Buffer.alloc(20_000));
        written++;
      }
      response.end("end");
    });
    wire.socket.accepting = false;
    await feed(wire, fastcgiRequest());
    expect(written).toBeLessThan(5);
    wire.socket.accept();
    await settle(100);
    expect(responseIn(wire.socket.output).body).toHaveLength(1_000_003);
  });

  it("rejects a write that waits when the front end goes away; nobody has to catch it", async () => {
    const rejected = vi.fn();
    const wire = open((_request, response) => {
      response.head(200);
      void response.write(Buffer.alloc(20_000));
      void response.write(Buffer.alloc(20_000));
      response.write(Buffer.alloc(20_000)).catch(rejected);
    });
    wire.socket.accepting = false;
    await feed(wire, fastcgiRequest());
    expect(rejected).not.toHaveBeenCalled();
    await fin(wire);
    expect(rejected).toHaveBeenCalledOnce();
  });

  it("fires the signal also where a write was waiting before somebody asked for it", async () => {
    let request: GatewayRequest | undefined;
    const wire = open((given, response) => {
      request = given;
      response.head(200);
      void response.write(Buffer.alloc(20_000));
      void response.write(Buffer.alloc(20_000));
    });
    wire.socket.accepting = false;
    await feed(wire, fastcgiRequest());
    const { signal } = request!;
    await fin(wire);
    expect(signal.aborted).toBe(true);
  });

  it("ends when the promise settles", async () => {
    const { body, end } = await serve(async (_request, response) => {
      response.head(200);
      await response.write("hello");
    });
    expect(body.toString()).toBe("hello");
    expect(end?.complete).toBe(true);
  });

  it.each([
    ["a line break in a value", { "x-a": "1\r\nx-b: 2" }],
    ["a NUL", { "x-a": "\0" }],
    ["a name that is none", { "x a": "1" }],
    ["a character beyond latin1", { "x-a": "€" }],
  ])("refuses %s", async (_what, headers) => {
    const { result } = await quietly(() =>
      serve((_request, response) => response.send(200, headers, "hello")),
    );
    expect(result.head?.status).toBe(500);
    expect(result.head?.headers).toEqual(["Content-Type", "text/plain"]);
  });
});

describe("a handler that fails", () => {
  const boom = new Error("boom");

  it.each<[string, GatewayHandler]>([
    [
      "throws",
      () => {
        throw boom;
      },
    ],
    [
      "rejects",
      async () => {
        throw boom;
      },
    ],
  ])("and %s gets a 500, once, and a line in the log", async (_how, handler) => {
    const { result, logged } = await quietly(() => serve(handler));
    expect(result.head?.status).toBe(500);
    expect(result.end?.complete).toBe(true);
    expect(result.wire.socket.finished).toBe(false);
    expect(logged).toContain("boom");
  });

  it("gets a 500 where its promise settles without a response", async () => {
    const { result, logged } = await quietly(() => serve(async () => {}));
    expect(result.head?.status).toBe(500);
    expect(logged).toContain("no response");
  });

  it("is broken off where the head has gone out", async () => {
    let fail = () => {};
    const wire = open(async (_request: GatewayRequest, response: GatewayResponse) => {
      response.head(200);
      await response.write("half");
      await new Promise<void>((_, reject) => {
        fail = () => reject(boom);
      });
    });
    await feed(wire, fastcgiRequest());
    await quietly(async () => {
      fail();
      await settle();
    });
    expect(responseIn(wire.socket.output)).toMatchObject({ body: Buffer.from("half"), end: undefined });
    expect(wire.socket.finished).toBe(true);
  });

  it("harms no other request of the connection", async () => {
    const wire = open((request, response) => {
      if (request.url === "/bad") throw boom;
      response.send(200, {}, "fine");
    });
    await quietly(() =>
      feed(wire, fastcgiRequest({ id: 1, params: { REQUEST_URI: "/bad" } }), fastcgiRequest({ id: 2 })),
    );
    expect(responseIn(wire.socket.output, 2).body.toString()).toBe("fine");
  });
});

it("keeps what the handler asks for when it does so after the response", async () => {
  let request: GatewayRequest | undefined;
  const { wire } = await serve((given, response) => {
    request = given;
    response.send(200);
  });
  await feed(wire, fastcgiRequest({ params: { REQUEST_URI: "/other" } }));
  const [first] = wire.exchanges as [Exchange];
  expect(first.params.get("REQUEST_URI")).toBe("/x?a=1");
  expect(request?.gateway.params.get("REQUEST_URI")).toBe("/other");
});
