/** The HTTP listener, in this process, between a bare HTTP client and a fake worker. */

import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import type { Address } from "../../../src/core/address.ts";
import { GatewayClient, type GatewayProtocol } from "../../../src/gateway/client.ts";
import { forward } from "../../../src/gateway/http/forward.ts";
import { HttpListener } from "../../../src/gateway/http/listener.ts";
import { connectionVariables } from "../../../src/gateway/http/variables.ts";
import { openListener } from "../../../src/system/sockets.ts";
import { exchange, header, type OpenExchange, openExchange } from "../../support/http.ts";
import type { Sandbox } from "../../support/sandbox.ts";
import { describe, expect, test } from "../../support/test.ts";
import { waitFor } from "../../support/wait.ts";
import {
  answer,
  endRequest,
  fakeUpstream,
  HELLO,
  type Peer,
  record,
  records,
  STDERR,
  STDIN,
  STDOUT,
  stream,
  variables,
} from "./fake-upstream.ts";
import { fullQueue } from "./full-queue.ts";

interface Running {
  readonly listener: HttpListener;
  readonly target: { host: string; port: number };
  readonly drained: Promise<void>;
  readonly log: string[];
}

async function listen(
  sandbox: Sandbox,
  upstream: Address,
  { protocol = "fastcgi", silenceMs = null }: { protocol?: GatewayProtocol; silenceMs?: number | null } = {},
): Promise<Running> {
  const client = new GatewayClient({ address: upstream, protocol, keepAlive: true, timeouts: { silenceMs } });
  const log: string[] = [];
  const options = {
    client,
    pool: "web",
    variables: (request: Parameters<typeof connectionVariables>[0]) =>
      connectionVariables(request, "gwpm/test"),
    closing: () => listener.draining,
    log: (line: string) => void log.push(line),
  };
  const listener = new HttpListener({
    onRequest: (request, response) => void forward(request, response, options),
    silenceMs: silenceMs === null ? null : 2 * silenceMs,
  });
  const { fd, address } = await openListener(
    { kind: "tcp", host: "127.0.0.1", port: 0, family: 4 },
    { backlog: 16 },
  );
  await listener.listen([fd]);
  const drained = listener.drained();
  sandbox.defer(async () => {
    listener.drain("close");
    client.close();
    await drained;
  });
  if (address.kind !== "tcp") throw new Error("not a port");
  return { listener, drained, log, target: { host: "127.0.0.1", port: address.port } };
}

/** Answers every request on every connection. */
const replying =
  (bytes: Buffer) =>
  async (peer: Peer): Promise<void> => {
    for (let count = 1; ; count++) {
      await Promise.race([peer.request(count), peer.gone]);
      if (peer.socket.readableEnded || peer.socket.destroyed) return;
      peer.socket.write(bytes);
    }
  };

describe("a request", () => {
  test("arrives with the variables of RFC 3875", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const { target } = await listen(sandbox, upstream.address);
    const response = await exchange(target, {
      method: "POST",
      target: "/a%20b/%C3%A4?x=%20y",
      headers: [
        ["Host", "example.test:8080"],
        ["Content-Type", "text/plain"],
        ["Proxy", "http://evil"],
        ["X-Two", "1"],
        ["Cookie", "a=1"],
        ["X-Two", "2"],
        ["Cookie", "b=2"],
        ["Connection", "close, X-Hop"],
        ["X-Hop", "1"],
      ],
      body: Buffer.from("body"),
    });
    expect(response.body.toString()).toBe("hello");
    const { received } = upstream.peers[0]!;
    const { REMOTE_PORT, ...seen } = variables(received);
    expect(Number(REMOTE_PORT)).toBeGreaterThan(0);
    expect(seen).toEqual({
      REQUEST_METHOD: "POST",
      REQUEST_URI: "/a%20b/%C3%A4?x=%20y",
      QUERY_STRING: "x=%20y",
      SCRIPT_NAME: "",
      PATH_INFO: "/a b/\u00c3\u00a4",
      DOCUMENT_URI: "/a b/\u00c3\u00a4",
      GATEWAY_INTERFACE: "CGI/1.1",
      SERVER_PROTOCOL: "HTTP/1.1",
      SERVER_SOFTWARE: "gwpm/test",
      SERVER_NAME: "example.test",
      SERVER_PORT: "8080",
      SERVER_ADDR: "127.0.0.1",
      REMOTE_ADDR: "127.0.0.1",
      REQUEST_SCHEME: "http",
      CONTENT_LENGTH: "4",
      CONTENT_TYPE: "text/plain",
      HTTP_HOST: "example.test:8080",
      HTTP_X_TWO: "1, 2",
      HTTP_COOKIE: "a=1; b=2",
    });
    expect(stream(received, STDIN).toString()).toBe("body");
  });

  test("of a body in chunks goes on as it comes", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.until((bytes) => stream(bytes, STDIN).toString() === "abc", "the first chunk");
      open.socket.write("3\r\ndef\r\n0\r\n\r\n");
      await peer.request();
      peer.socket.write(HELLO);
    });
    const { target } = await listen(sandbox, upstream.address);
    const open = await openExchange(target, {
      method: "POST",
      target: "/",
      headers: [["Transfer-Encoding", "chunked"]],
    });
    open.socket.write("3\r\nabc\r\n");
    expect((await open.response).body.toString()).toBe("hello");
    expect(stream(upstream.peers[0]!.received, STDIN).toString()).toBe("abcdef");
    expect(variables(upstream.peers[0]!.received).HTTP_TRANSFER_ENCODING).toBe(undefined);
  });

  test("of a body in chunks is measured for SCGI", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.until((bytes) => bytes.includes(",body"), "the request");
      peer.socket.end("Status: 200\r\n\r\nhello");
    });
    const { target } = await listen(sandbox, upstream.address, { protocol: "scgi" });
    const body = [Buffer.from("bo"), Buffer.from("dy")];
    const response = await exchange(target, { method: "POST", target: "/", body });
    expect(response.body.toString()).toBe("hello");
    expect(upstream.peers[0]!.received.toString("latin1")).toContain("CONTENT_LENGTH\x004\x00SCGI\x001\x00");
  });

  test("of HTTP/1.0, without Host", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const { target } = await listen(sandbox, upstream.address);
    const socket = connect(target);
    socket.write("GET / HTTP/1.0\r\n\r\n");
    let text = "";
    for await (const chunk of socket) text += chunk;
    expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nhello$/);
    expect(text).not.toMatch(/chunked/i);
    expect(variables(upstream.peers[0]!.received)).toMatchObject({
      SERVER_PROTOCOL: "HTTP/1.0",
      SERVER_PORT: "80",
    });
  });
});

describe("a response", () => {
  test("keeps its headers, repetitions included, and loses what belongs to the hop", async ({ sandbox }) => {
    const cgi = [
      "Status: 418 Teapot",
      "Set-Cookie: a=1",
      "Set-Cookie: b=2",
      "Connection: X-Hop",
      "X-Hop: 1",
      "Transfer-Encoding: chunked",
      "Keep-Alive: timeout=1",
      "X-Kept: \u00e9",
      "",
      "short and stout",
    ].join("\r\n");
    const upstream = await fakeUpstream(sandbox, replying(answer(cgi)));
    const { target } = await listen(sandbox, upstream.address);
    const response = await exchange(target, { target: "/" });
    expect(response.statusLine).toBe("HTTP/1.1 418 Teapot");
    const names = response.headers.map(([name, value]) => `${name}: ${value}`);
    expect(names.slice(0, 3)).toEqual(["Set-Cookie: a=1", "Set-Cookie: b=2", "X-Kept: \u00e9"]);
    expect(names.slice(3).map((line) => line.split(":")[0])).toEqual([
      "Date",
      "Connection",
      "Transfer-Encoding",
    ]);
    expect(response.body.toString()).toBe("short and stout");
    expect(response.complete).toBe(true);
  });

  test.for([
    ["HEAD", "Status: 200\r\nContent-Length: 5\r\n\r\n", 200, "5"],
    ["GET", "Status: 204\r\nContent-Length: 5\r\n\r\n", 204, undefined],
    ["GET", "Status: 304\r\nETag: x\r\n\r\n", 304, undefined],
  ] as const)("without body: %s %j", async ([method, cgi, status, length], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(answer(cgi)));
    const { target } = await listen(sandbox, upstream.address);
    const response = await exchange(target, { method, target: "/" });
    expect(response).toMatchObject({ status, complete: true });
    expect(header(response, "content-length")).toBe(length);
  });

  test("that comes in pieces goes on in pieces, the head first", async ({ sandbox }) => {
    let seen = (_text: string): Promise<void> => Promise.resolve();
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      peer.socket.write(record(STDOUT, "Content-Type: text/event-stream\r\n\r\n"));
      await seen("event-stream");
      peer.socket.write(record(STDOUT, "data: 1\n\n"));
      await seen("data: 1");
      peer.socket.write(Buffer.concat([record(STDOUT, "data: 2\n\n"), record(STDOUT), endRequest()]));
    });
    const { target } = await listen(sandbox, upstream.address);
    const open = await openExchange(target, { target: "/" });
    seen = open.received;
    expect((await open.response).body.toString()).toBe("data: 1\n\ndata: 2\n\n");
  });

  test("of 50 MB, and a request of 50 MB, byte for byte", async ({ sandbox }) => {
    const body = randomBytes(50 * 1024 ** 2);
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      // Echoes the records of STDIN as STDOUT: a whole record at a time.
      peer.socket.removeAllListeners("data");
      let rest = Buffer.alloc(0);
      peer.socket.write(record(STDOUT, "Status: 200\r\n\r\n"));
      for await (const chunk of peer.socket) {
        rest = Buffer.concat([rest, chunk as Buffer]);
        let used = 0;
        for (const { type, content } of records(rest)) {
          used += 8 + content.length + rest[used + 6]!;
          if (type !== STDIN) continue;
          const out =
            content.length > 0 ? record(STDOUT, content) : Buffer.concat([record(STDOUT), endRequest()]);
          if (!peer.socket.write(out)) await once(peer.socket, "drain");
        }
        rest = rest.subarray(used);
      }
    });
    const { target } = await listen(sandbox, upstream.address);
    const response = await exchange(target, { method: "POST", target: "/", body });
    expect(response.complete).toBe(true);
    expect(response.body.equals(body)).toBe(true);
  }, 30_000);

  test("that comes before the request is complete", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.until((bytes) => stream(bytes, STDIN).length > 0, "some body");
      peer.socket.end(answer("Status: 413\r\n\r\ntoo long"));
    });
    const { target } = await listen(sandbox, upstream.address);
    const body = Buffer.alloc(10 * 1024 ** 2);
    const response = await exchange(target, { method: "POST", target: "/", body });
    expect(response.status).toBe(413);
    expect(response.body.toString()).toBe("too long");
  });
});

describe("a client that goes away takes the worker's connection with it", () => {
  const SOME = record(STDOUT, "Status: 200\r\n\r\nsome");
  type HangUp = (peer: Peer, client: OpenExchange) => Promise<unknown>;
  const phases: readonly (readonly [string, HangUp])[] = [
    ["while it sends", (peer) => peer.until((bytes) => stream(bytes, STDIN).length > 0, "some body")],
    ["while it waits", (peer) => peer.until((bytes) => records(bytes).length > 2, "the variables")],
    [
      "while it reads",
      (peer, client) => {
        peer.socket.write(SOME);
        return client.received("some");
      },
    ],
  ];

  test.for(phases)("%s", async ([, until], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await until(peer, client);
      client.socket.destroy();
    });
    const { target, log } = await listen(sandbox, upstream.address);
    const headers = [["Content-Length", "100"]] as const;
    const client: OpenExchange = await openExchange(target, { method: "POST", target: "/", headers });
    client.socket.write("some");
    await waitFor(() => upstream.peers.length > 0, { what: "the worker's connection" });
    await upstream.peers[0]!.gone;
    expect(log).toEqual([]);
  });
});

describe("a worker that fails", () => {
  test.for([
    ["closes", Buffer.alloc(0), 502, "closed the connection"],
    ["sends garbage", Buffer.from("HTTP/1.1 200 OK\r\n\r\n"), 502, "cannot be understood"],
    ["refuses", endRequest(2), 503, "refused"],
    ["sends a header that HTTP cannot carry", answer("X-A: a\u0001b\r\n\r\n"), 502, "cannot be"],
  ] as const)("%s", async ([, bytes, status, reason], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      peer.socket.end(bytes);
    });
    const { target, log } = await listen(sandbox, upstream.address);
    const response = await exchange(target, { target: "/x" });
    expect(response.status).toBe(status);
    expect(header(response, "content-type")).toBe("text/plain; charset=utf-8");
    expect(response.body.toString()).toContain('Pool "web": ');
    expect(response.body.toString()).toContain(reason);
    expect(response.body.toString()).not.toContain(sandbox.dir);
    expect(log.join()).toContain("GET /x: ");
  });

  test("does not answer in time", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, () => {});
    const { target } = await listen(sandbox, upstream.address, { silenceMs: 50 });
    const response = await exchange(target, { target: "/" });
    expect(response.status).toBe(504);
    expect(response.body.toString()).toBe('504 Gateway Timeout\n\nPool "web": no worker answered in time.\n');
  });

  test("is not there", async ({ sandbox }) => {
    const { target } = await listen(sandbox, { kind: "unix", path: sandbox.path("none.sock") });
    const response = await exchange(target, { method: "POST", target: "/", body: Buffer.alloc(5_000_000) });
    expect(response.status).toBe(502);
    expect(response.body.toString()).toContain("its socket does not exist; is it running?");
  });

  test("has no room in its queue", async ({ sandbox }) => {
    const busy = await fullQueue(sandbox, { kind: "unix", path: sandbox.path("full.sock") });
    const { target } = await listen(sandbox, busy);
    const response = await exchange(target, { target: "/" });
    expect(response.status).toBe(503);
    expect(response.body.toString()).toContain("its queue is full, all workers are busy");
  });

  test("breaks off: so does the response, and the listener goes on", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer, index) => {
      await peer.request();
      peer.socket.end(index === 0 ? record(STDOUT, "Status: 200\r\n\r\nhalf") : HELLO);
    });
    const { target, log } = await listen(sandbox, upstream.address);
    const response = await exchange(target, { target: "/" });
    expect(response).toMatchObject({ status: 200, complete: false });
    await waitFor(() => log.length > 0, { what: "a line in the log" });
    expect(log[0]).toContain("before the response was complete");
    expect((await exchange(target, { target: "/" })).body.toString()).toBe("hello");
  });

  test("complains on FCGI_STDERR", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(Buffer.concat([record(STDERR, "oops\n"), HELLO])));
    const { target, log } = await listen(sandbox, upstream.address);
    await exchange(target, { target: "/x" });
    expect(log).toEqual(["stderr of GET /x: oops"]);
  });
});

test("hostile clients get their own errors and leave the others alone", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, replying(HELLO));
  const { target } = await listen(sandbox, upstream.address);
  const attacks = [
    "\x16\x03\x01\x02\x00",
    "GET / HTTP/1.1\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nx",
    "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(100_000)}\r\n\r\n`,
    `GET /${"x".repeat(100_000)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1\r\nConnection: host\r\n\r\n",
  ];
  await Promise.all(
    attacks.map(async (attack) => {
      const socket = connect(target).on("error", () => {});
      socket.end(attack, "latin1");
      socket.resume();
      await new Promise((resolve) => socket.once("close", resolve));
    }),
  );
  expect((await exchange(target, { target: "/" })).body.toString()).toBe("hello");
});

describe("a drain", () => {
  test("finishes what is active, says that it closes, and accepts nothing new", async ({ sandbox }) => {
    let release = (): void => {};
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      peer.socket.write(HELLO);
    });
    const { target, listener, drained } = await listen(sandbox, upstream.address);
    const open = await openExchange(target, { target: "/", headers: [["Connection", "keep-alive"]] });
    await waitFor(() => upstream.peers[0]?.request(), { what: "the request to reach the worker" });
    listener.drain("close");
    await expect(exchange(target, { target: "/" })).rejects.toThrow("ECONNREFUSED");
    release();
    const response = await open.response;
    expect(response.body.toString()).toBe("hello");
    expect(header(response, "connection")).toBe("close");
    await drained;
  });

  test("leaves an idle connection one more request, or closes it at once", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const { target, listener, drained } = await listen(sandbox, upstream.address);
    const idle = await openExchange(target, { target: "/1", headers: [["Connection", "keep-alive"]] });
    const second = await openExchange(target, { target: "/2", headers: [["Connection", "keep-alive"]] });
    await Promise.all([idle.received("hello"), second.received("hello")]);
    listener.drain("keep");
    idle.socket.write("GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
    await idle.received("Connection: close");
    await idle.response;
    listener.drain("close");
    await second.response;
    await drained;
  });

  test("does not wait for a connection that never says anything", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const { target, listener, drained } = await listen(sandbox, upstream.address);
    const silent = connect(target).resume();
    await once(silent, "connect");
    expect((await exchange(target, { target: "/" })).status).toBe(200); // so the silent one has been accepted, too
    listener.drain("keep");
    await drained;
  });
});
