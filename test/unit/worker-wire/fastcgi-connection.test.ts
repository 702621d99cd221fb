import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { encodeHead } from "../../../src/protocol/cgi/response-head.ts";
import { ProtocolStatus, Role, Type } from "../../../src/protocol/fastcgi/constants.ts";
import { RecordDecoder } from "../../../src/protocol/fastcgi/decoder.ts";
import {
  encodeAbortRequest,
  encodeEndOfStream,
  encodeResponse,
} from "../../../src/protocol/fastcgi/encode.ts";
import type { Exchange } from "../../../src/worker/exchange.ts";
import { fastcgiRequest, stdin, stdinEnd } from "./requests.ts";
import { fastcgi, feed, fin, responseIn, settle } from "./wire.ts";

const PLAIN = encodeHead(200, undefined, ["Content-Type", "text/plain"]);

function respond(exchange: Exchange, body: string | Buffer = "hello", head = PLAIN): void {
  exchange.head(head);
  exchange.end(body);
}

function hello(exchange: Exchange): void {
  respond(exchange);
}

/** Type and id of each record. */
function records(bytes: Buffer): string[] {
  const list: string[] = [];
  const decoder = new RecordDecoder({
    onRecord(type, id, length) {
      list.push(`${NAMES[type]} ${id} ${length}`);
      return true;
    },
    onContent: () => true,
  });
  decoder.push(bytes);
  expect(decoder.atBoundary).toBe(true);
  return list;
}

const NAMES = Object.fromEntries(Object.entries(Type).map(([name, type]) => [type, name]));

describe("a small response", () => {
  it("is one write with the canonical bytes", async () => {
    const wire = fastcgi({ handler: hello });
    await feed(wire, fastcgiRequest());
    expect(wire.socket.written).toHaveLength(1);
    expect(wire.socket.output).toEqual(encodeResponse(1, Buffer.from(`${PLAIN}hello`)));
  });

  it.each([
    ["non-ASCII text", "grüße €"],
    ["a buffer", Buffer.from([0, 255, 128])],
    ["nothing", ""],
  ])("has the canonical bytes with %s", async (_what, body) => {
    const wire = fastcgi({ handler: (exchange) => respond(exchange, body) });
    await feed(wire, fastcgiRequest({ id: 300 }));
    expect(wire.socket.written).toHaveLength(1);
    expect(wire.socket.output).toEqual(
      encodeResponse(300, Buffer.concat([Buffer.from(PLAIN), Buffer.from(body)])),
    );
  });

  it("is one record and one write when it is written in parts within a turn", async () => {
    const wire = fastcgi({
      handler(exchange) {
        exchange.head(PLAIN);
        exchange.write("hel");
        exchange.write("lo");
        exchange.end();
      },
    });
    await feed(wire, fastcgiRequest());
    expect(wire.socket.written).toHaveLength(1);
    expect(wire.socket.output).toEqual(encodeResponse(1, Buffer.from(`${PLAIN}hello`)));
  });

  it("leaves its head at the end of the turn", async () => {
    const wire = fastcgi({ handler: (exchange) => exchange.head(PLAIN) });
    await feed(wire, fastcgiRequest());
    expect(records(wire.socket.output)).toEqual([`STDOUT 1 ${PLAIN.length}`]);
  });

  it("tells when its bytes have left", async () => {
    const done = vi.fn();
    const wire = fastcgi({
      handler(exchange) {
        exchange.head(PLAIN);
        exchange.write("a", "utf8", () => done("written"));
        exchange.end("b", "utf8", () => done("ended"));
      },
    });
    wire.socket.accepting = false;
    await feed(wire, fastcgiRequest());
    expect(done).not.toHaveBeenCalled();
    wire.socket.accept();
    await settle();
    expect(done.mock.calls).toEqual([["written"], ["ended"]]);
  });
});

describe("a large response", () => {
  it("is framed in records of 65,528 bytes and arrives whole", async () => {
    const body = Buffer.alloc(200_000, "0123456789");
    const wire = fastcgi({ handler: (exchange) => respond(exchange, body) });
    await feed(wire, fastcgiRequest());
    expect(records(wire.socket.output)).toEqual([
      `STDOUT 1 ${PLAIN.length}`,
      "STDOUT 1 65528",
      "STDOUT 1 65528",
      "STDOUT 1 65528",
      "STDOUT 1 3416",
      "STDOUT 1 0",
      "END_REQUEST 1 8",
    ]);
    expect(responseIn(wire.socket.output).body.equals(body)).toBe(true);
  });

  it("stops where the peer does not read, and goes on when it does", async () => {
    let written = 0;
    const pump = (exchange: Exchange) => {
      while (written < 100) {
        written++;
        if (!exchange.write(Buffer.alloc(20_000))) return;
      }
      exchange.end();
    };
    const wire = fastcgi({
      handler(exchange) {
        exchange.head(PLAIN);
        exchange.onDrain = () => pump(exchange);
        pump(exchange);
      },
    });
    wire.socket.accepting = false;
    await feed(wire, fastcgiRequest());
    expect(written).toBeLessThan(5);
    wire.socket.accept();
    await settle(5);
    expect(responseIn(wire.socket.output).body).toHaveLength(2_000_000);
  });
});

describe("responses without a body", () => {
  it.each([
    ["HEAD", 200],
    ["GET", 204],
    ["GET", 304],
  ])("%s with status %i sends only the head", async (method, status) => {
    const head = encodeHead(status, undefined, ["Content-Length", "5"]);
    const wire = fastcgi({
      handler(exchange) {
        exchange.head(head);
        exchange.write("he");
        exchange.end("llo");
      },
    });
    await feed(wire, fastcgiRequest({ params: { REQUEST_METHOD: method } }));
    expect(wire.socket.output).toEqual(encodeResponse(1, Buffer.from(head)));
  });
});

describe("Content-Length", () => {
  const head = encodeHead(200, undefined, ["Content-Length", "5"]);

  it("cuts a longer body, and withholds END_REQUEST", async () => {
    const wire = fastcgi({ handler: (exchange) => respond(exchange, "hello world", head) });
    await feed(wire, fastcgiRequest());
    const { body, end, stderr, broken } = responseIn(wire.socket.output);
    expect(body.toString()).toBe("hello");
    expect(end).toBeUndefined();
    expect(broken).toBe(true);
    expect(stderr).toContain("at least 6 bytes longer");
    expect(wire.socket.finished).toBe(true);
  });

  it("makes a shorter body a 500 as long as nothing has been sent", async () => {
    const wire = fastcgi({ handler: (exchange) => respond(exchange, "hel", head) });
    await feed(wire, fastcgiRequest());
    const { head: received, end } = responseIn(wire.socket.output);
    expect(received?.status).toBe(500);
    expect(end?.complete).toBe(true);
    expect(wire.socket.finished).toBe(false);
  });

  it("breaks a shorter body off once the head has been sent", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest());
    const [exchange] = wire.exchanges as [Exchange];
    exchange.head(head);
    exchange.write("hel");
    await settle();
    exchange.end();
    await settle();
    const { body, end, broken } = responseIn(wire.socket.output);
    expect(body.toString()).toBe("hel");
    expect(end).toBeUndefined();
    expect(broken).toBe(true);
    expect(wire.socket.finished).toBe(true);
  });

  it("is content with a body of that length", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest());
    const [exchange] = wire.exchanges as [Exchange];
    exchange.head(head);
    exchange.write("hel");
    await settle();
    exchange.end("lo");
    await settle();
    expect(responseIn(wire.socket.output)).toMatchObject({
      body: Buffer.from("hello"),
      end: { complete: true },
    });
    expect(wire.socket.finished).toBe(false);
  });
});

describe("keeping the connection", () => {
  it("serves one request after another", async () => {
    const wire = fastcgi({ handler: (exchange) => respond(exchange, exchange.params.get("REQUEST_URI")) });
    await feed(wire, fastcgiRequest());
    expect(responseIn(wire.socket.output).body.toString()).toBe("/x?a=1");
    wire.socket.written.length = 0;
    await feed(wire, fastcgiRequest({ params: { REQUEST_URI: "/second" } }));
    expect(responseIn(wire.socket.output).body.toString()).toBe("/second");
    expect(wire.connection.atBoundary).toBe(true);
    expect(wire.socket.finished).toBe(false);
  });

  it("ends it after a request without KEEP_CONN, though the body is still arriving", async () => {
    const wire = fastcgi({ handler: hello });
    await feed(wire, fastcgiRequest({ keep: false, body: null }));
    expect(responseIn(wire.socket.output).end?.complete).toBe(true);
    expect(wire.socket.finished).toBe(true);
    expect(wire.socket.destroyed).toBe(false);
    await feed(wire, stdin("x".repeat(100_000)));
    expect(wire.socket.readableLength).toBe(0);
    expect(wire.socket.destroyed).toBe(false);
    await fin(wire);
    expect(wire.socket.destroyed).toBe(true);
  });

  it("does not wait for a body that the handler does not want", async () => {
    const wire = fastcgi({ handler: hello });
    await feed(wire, fastcgiRequest({ body: null }));
    expect(responseIn(wire.socket.output).end?.complete).toBe(true);
    expect(wire.connection.active).toBe(0);
    await feed(wire, stdin("late"), stdinEnd());
    wire.socket.written.length = 0;
    await feed(wire, fastcgiRequest());
    expect(responseIn(wire.socket.output).end?.complete).toBe(true);
  });

  it("holds END_REQUEST back until HAProxy has sent the body", async () => {
    const wire = fastcgi({ handler: hello });
    await feed(wire, fastcgiRequest({ body: null, params: { SERVER_SOFTWARE: "HAProxy 2.6.12" } }));
    expect(responseIn(wire.socket.output)).toMatchObject({ body: Buffer.from("hello"), end: undefined });
    await feed(wire, stdin("late"));
    expect(responseIn(wire.socket.output).end).toBeUndefined();
    await feed(wire, stdinEnd());
    expect(responseIn(wire.socket.output).end?.complete).toBe(true);
    expect(wire.connection.active).toBe(0);
  });
});

describe("requests at the same time", () => {
  it("answers each by its id, in the order in which handlers are done", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest({ id: 1 }), fastcgiRequest({ id: 3 }));
    expect(wire.connection.active).toBe(2);
    respond(wire.exchanges[1]!, "three");
    respond(wire.exchanges[0]!, "one");
    await settle();
    expect(responseIn(wire.socket.output, 1).body.toString()).toBe("one");
    expect(responseIn(wire.socket.output, 3).body.toString()).toBe("three");
    expect(records(wire.socket.output)[0]).toMatch(/^STDOUT 3 /);
  });

  it("refuses what is over the limit with a whole response", async () => {
    const wire = fastcgi({ wire: { maxRequestsPerConnection: 2 } });
    await feed(wire, fastcgiRequest({ id: 1 }), fastcgiRequest({ id: 2 }), fastcgiRequest({ id: 3 }));
    const { head, end } = responseIn(wire.socket.output, 3);
    expect(head?.status).toBe(503);
    expect(end?.protocolStatus).toBe(ProtocolStatus.OVERLOADED);
    expect(wire.exchanges).toHaveLength(2);
  });

  it("lets the others finish when one is broken off, and then ends the connection", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest({ id: 1 }), fastcgiRequest({ id: 3 }));
    wire.exchanges[0]!.head(PLAIN);
    wire.exchanges[0]!.write("half");
    await settle();
    wire.exchanges[0]!.fail("test");
    await settle();
    expect(wire.socket.finished).toBe(false);
    respond(wire.exchanges[1]!);
    await settle();
    expect(responseIn(wire.socket.output, 1).end).toBeUndefined();
    expect(responseIn(wire.socket.output, 3).end?.complete).toBe(true);
    expect(wire.socket.finished).toBe(true);
  });
});

describe("a request that is given up", () => {
  it("is aborted when the front end closes, and late writes do nothing", async () => {
    const onAbort = vi.fn();
    const done = vi.fn();
    const wire = fastcgi();
    await feed(wire, fastcgiRequest());
    const [exchange] = wire.exchanges as [Exchange];
    exchange.onAbort = onAbort;
    await fin(wire);
    expect(exchange.aborted).toBe(true);
    expect(onAbort).toHaveBeenCalledOnce();
    exchange.head(PLAIN);
    expect(exchange.write("late", "utf8", done)).toBe(true);
    exchange.end("later", "utf8", done);
    exchange.fail("latest");
    await settle();
    expect(wire.socket.output).toHaveLength(0);
    expect(done.mock.calls).toEqual([[expect.any(Error)], [expect.any(Error)]]);
    expect(wire.socket.destroyed).toBe(true);
  });

  it("is answered with END_REQUEST alone when the front end asks for it; the connection goes on", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest({ body: null }), encodeAbortRequest(1));
    expect(wire.exchanges[0]!.aborted).toBe(true);
    expect(records(wire.socket.output)).toEqual(["END_REQUEST 1 8"]);
    respond(wire.exchanges[0]!);
    await settle();
    expect(records(wire.socket.output)).toHaveLength(1);
    await feed(wire, fastcgiRequest());
    expect(wire.exchanges).toHaveLength(2);
  });

  it("hears of no abort once its response is complete", async () => {
    const onAbort = vi.fn();
    const wire = fastcgi();
    await feed(wire, fastcgiRequest());
    wire.exchanges[0]!.onAbort = onAbort;
    respond(wire.exchanges[0]!);
    await fin(wire);
    expect(onAbort).not.toHaveBeenCalled();
  });

  it("still sends what has been answered when the peer has closed its side", async () => {
    const wire = fastcgi({ handler: hello });
    wire.socket.accepting = false;
    await feed(wire, fastcgiRequest());
    await fin(wire);
    wire.socket.accept();
    await settle();
    expect(responseIn(wire.socket.output).end?.complete).toBe(true);
    expect(wire.socket.finished).toBe(true);
  });
});

describe("the request body", () => {
  it("is kept for a handler that takes it later", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest({ body: "early" }));
    const chunks: Buffer[] = [];
    const onEnd = vi.fn();
    wire.exchanges[0]!.takeBody({ onChunk: (chunk) => chunks.push(chunk) > 0, onEnd });
    expect(Buffer.concat(chunks).toString()).toBe("early");
    expect(onEnd).toHaveBeenCalledExactlyOnceWith(undefined);
  });

  it("stops the connection where the handler does not keep up, and loses nothing", async () => {
    const wire = fastcgi();
    const upload = Buffer.alloc(1_000_000, "abcdefghij");
    await feed(wire, fastcgiRequest({ body: null }));
    const bytes = stdin(upload);
    for (let at = 0; at < bytes.length; at += 50_000) wire.socket.push(bytes.subarray(at, at + 50_000));
    wire.socket.push(stdinEnd());
    await settle();
    expect(wire.socket.isPaused()).toBe(true);
    expect(wire.socket.readableLength).toBeGreaterThan(700_000);
    const [exchange] = wire.exchanges as [Exchange];
    const received: Buffer[] = [];
    const ended = new Promise((resolve) => {
      exchange.takeBody({
        onChunk(chunk) {
          received.push(chunk);
          setImmediate(() => exchange.resumeBody());
          return false;
        },
        onEnd: resolve,
      });
    });
    expect(await ended).toBeUndefined();
    expect(Buffer.concat(received).equals(upload)).toBe(true);
  });

  it("is let through unread once the response is complete", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest({ body: null }), stdin(Buffer.alloc(400_000)));
    expect(wire.socket.isPaused()).toBe(true);
    respond(wire.exchanges[0]!);
    await feed(wire, stdin(Buffer.alloc(400_000)), stdinEnd());
    expect(wire.socket.readableLength).toBe(0);
    expect(wire.connection.atBoundary).toBe(true);
  });

  it("carries the second stream of a filter", async () => {
    const wire = fastcgi({ roles: ["responder", "filter"] });
    const data = encodeEndOfStream(Type.DATA, 1);
    const dataRecord = Buffer.concat([
      Buffer.from([1, Type.DATA, 0, 1, 0, 3, 0, 0]),
      Buffer.from("abc"),
      data,
    ]);
    await feed(wire, fastcgiRequest({ role: Role.FILTER }), dataRecord);
    const chunks: Buffer[] = [];
    const onEnd = vi.fn();
    wire.exchanges[0]!.takeData({ onChunk: (chunk) => chunks.push(chunk) > 0, onEnd });
    expect(Buffer.concat(chunks).toString()).toBe("abc");
    expect(onEnd).toHaveBeenCalledOnce();
  });
});

describe("draining", () => {
  const nginx = { params: { SERVER_SOFTWARE: "nginx/1.22.1" } };
  const haproxy = { params: { SERVER_SOFTWARE: "HAProxy 2.6.12" } };
  const apache = { params: { SERVER_SOFTWARE: "Apache/2.4" } };

  it("appends an empty STDERR record to nginx's last response, in the same write, and ends", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest(nginx));
    wire.connection.close({ idle: "keep" });
    respond(wire.exchanges[0]!);
    await settle();
    expect(wire.socket.written).toHaveLength(1);
    expect(wire.socket.output).toEqual(encodeResponse(1, Buffer.from(`${PLAIN}hello`), "nginx"));
    expect(wire.socket.finished).toBe(true);
  });

  it("tells HAProxy by OVERLOADED, and by CANT_MPX_CONN while others are active", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest({ id: 1, ...haproxy }), fastcgiRequest({ id: 3, ...haproxy }));
    wire.connection.close({ idle: "keep" });
    respond(wire.exchanges[0]!);
    await settle();
    expect(responseIn(wire.socket.output, 1).end?.protocolStatus).toBe(ProtocolStatus.CANT_MPX_CONN);
    expect(wire.socket.finished).toBe(false);
    respond(wire.exchanges[1]!);
    await settle();
    expect(responseIn(wire.socket.output, 3).end?.protocolStatus).toBe(ProtocolStatus.OVERLOADED);
    expect(wire.socket.finished).toBe(true);
  });

  it("only ends after the response to Apache, which would take more bytes for the next one", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest(apache));
    wire.connection.close({ idle: "keep" });
    respond(wire.exchanges[0]!);
    await settle();
    expect(wire.socket.output).toEqual(encodeResponse(1, Buffer.from(`${PLAIN}hello`)));
    expect(wire.socket.finished).toBe(true);
  });

  it("leaves an idle kept connection open, and retires it with its next response", async () => {
    const wire = fastcgi({ handler: hello });
    await feed(wire, fastcgiRequest(nginx));
    wire.connection.close({ idle: "keep" });
    await settle();
    expect(wire.socket.finished).toBe(false);
    wire.socket.written.length = 0;
    await feed(wire, fastcgiRequest(nginx));
    expect(wire.socket.output).toEqual(encodeResponse(1, Buffer.from(`${PLAIN}hello`), "nginx"));
    expect(wire.socket.finished).toBe(true);
  });

  it("ends an idle kept connection at once where there is no successor", async () => {
    const wire = fastcgi({ handler: hello });
    await feed(wire, fastcgiRequest(nginx));
    wire.connection.close({ idle: "close" });
    await settle();
    expect(wire.socket.finished).toBe(true);
  });

  it("serves a connection on which no request has begun yet", async () => {
    const wire = fastcgi({ handler: hello });
    wire.connection.close({ idle: "close" });
    await settle();
    expect(wire.socket.finished).toBe(false);
    await feed(wire, fastcgiRequest(nginx));
    expect(responseIn(wire.socket.output).head?.status).toBe(200);
    expect(wire.socket.finished).toBe(true);
  });
});

describe("time", () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setInterval", "clearInterval"] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  it("ends a connection that has been idle for idleConnectionMs, and not before", async () => {
    const wire = fastcgi({ handler: hello, idleConnectionMs: 10_000 });
    await feed(wire, fastcgiRequest());
    vi.advanceTimersByTime(10_000);
    expect(wire.socket.writableEnded).toBe(false);
    vi.advanceTimersByTime(1_000);
    await settle();
    expect(wire.socket.finished).toBe(true);
  });

  it("does not count the time of a request as idle", async () => {
    const wire = fastcgi({ idleConnectionMs: 1_000 });
    await feed(wire, fastcgiRequest());
    vi.advanceTimersByTime(60_000);
    expect(wire.socket.writableEnded).toBe(false);
    respond(wire.exchanges[0]!);
    await settle();
    expect(responseIn(wire.socket.output).end?.complete).toBe(true);
  });

  it("ends a connection that stops in the middle of PARAMS", async () => {
    const wire = fastcgi({ idleConnectionMs: 1_000 });
    await feed(wire, fastcgiRequest().subarray(0, 40));
    vi.advanceTimersByTime(2_000);
    await settle();
    expect(wire.socket.finished).toBe(true);
  });

  it("does not wait for ever for the peer to close", async () => {
    const wire = fastcgi({ handler: hello });
    await feed(wire, fastcgiRequest({ keep: false }));
    expect(wire.socket.destroyed).toBe(false);
    vi.advanceTimersByTime(6_000);
    await settle();
    expect(wire.socket.destroyed).toBe(true);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("does not hold HAProxy's END_REQUEST back for ever", async () => {
    const wire = fastcgi({ handler: hello });
    await feed(wire, fastcgiRequest({ body: null, params: { SERVER_SOFTWARE: "HAProxy" } }));
    vi.advanceTimersByTime(31_000);
    await settle();
    expect(responseIn(wire.socket.output).end?.complete).toBe(true);
  });
});

describe("peers that do not behave", () => {
  it.each([
    ["HTTP", "GET / HTTP/1.1\r\n"],
    ["SCGI", "70:CONTENT"],
    ["TLS", "\x16\x03\x01"],
  ])("are told apart in the log: %s", async (name, text) => {
    const wire = fastcgi();
    await feed(wire, Buffer.from(text, "latin1"));
    expect(wire.log).toEqual([
      expect.stringContaining(`speaks ${name} to this worker, which expects FastCGI`),
    ]);
    expect(wire.socket.destroyed).toBe(true);
  });

  it("leave no line when they only connect", async () => {
    const wire = fastcgi();
    await fin(wire);
    expect(wire.log).toEqual([]);
    expect(wire.socket.destroyed).toBe(true);
  });

  it("are read no further where they ask without reading the answers", async () => {
    const wire = fastcgi();
    wire.socket.accepting = false;
    const question = Buffer.alloc(8 * 10_000);
    for (let at = 0; at < question.length; at += 8) question.set([1, Type.GET_VALUES], at);
    await feed(wire, question, question, question, question);
    expect(wire.socket.isPaused()).toBe(true);
    expect(wire.socket.writableLength).toBeLessThan(200_000);
    expect(wire.socket.readableLength).toBeGreaterThan(200_000);
    wire.socket.accept();
    await settle(10);
    expect(wire.socket.output).toHaveLength(4 * question.length);
  });

  it("get a 400 and a line in their log where REQUEST_METHOD is missing", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest({ params: { REQUEST_METHOD: "" } }));
    const { head, stderr, end } = responseIn(wire.socket.output);
    expect(head?.status).toBe(400);
    expect(stderr).toContain("REQUEST_METHOD");
    expect(end?.complete).toBe(true);
    expect(wire.exchanges).toEqual([]);
  });
});

describe("the front end's error log", () => {
  it("gets what the handler tells it, before END_REQUEST and properly ended", async () => {
    const wire = fastcgi({
      handler(exchange) {
        exchange.stderr("something odd");
        respond(exchange);
      },
    });
    await feed(wire, fastcgiRequest());
    expect(records(wire.socket.output)).toEqual([
      "STDERR 1 13",
      `STDOUT 1 ${PLAIN.length + 5}`,
      "STDOUT 1 0",
      "STDERR 1 0",
      "END_REQUEST 1 8",
    ]);
    expect(responseIn(wire.socket.output).stderr).toBe("something odd");
  });

  it("gets a text that is longer than a record", async () => {
    const wire = fastcgi();
    await feed(wire, fastcgiRequest());
    wire.exchanges[0]!.stderr("x".repeat(100_000));
    await settle();
    expect(responseIn(wire.socket.output).stderr).toHaveLength(100_000);
  });
});

it("answers 500 to the one request whose handler throws", async () => {
  const wire = fastcgi({
    handler(exchange) {
      if (exchange.params.get("REQUEST_URI") === "/bad") throw new Error("boom");
      respond(exchange);
    },
  });
  await feed(wire, fastcgiRequest({ id: 1, params: { REQUEST_URI: "/bad" } }), fastcgiRequest({ id: 2 }));
  expect(responseIn(wire.socket.output, 1)).toMatchObject({
    head: { status: 500 },
    stderr: expect.stringContaining("boom"),
  });
  expect(responseIn(wire.socket.output, 2)).toMatchObject({ head: { status: 200 }, end: { complete: true } });
});

describe("the observer", () => {
  it("is told of each request, and of how it ended", async () => {
    const observer = { requestStarted: vi.fn(() => 7), requestEnded: vi.fn() };
    const wire = fastcgi({ observer });
    await feed(wire, fastcgiRequest(), encodeAbortRequest(1), fastcgiRequest(), fastcgiRequest({ id: 2 }));
    expect(observer.requestStarted.mock.calls[0]).toEqual(["GET", "/x?a=1"]);
    respond(wire.exchanges[1]!, "", encodeHead(404, undefined, []));
    wire.exchanges[2]!.fail("test");
    expect(observer.requestEnded.mock.calls).toEqual([
      [7, 0, false],
      [7, 404, false],
      [7, 500, true],
    ]);
  });
});
