/** The HTTP client against servers of node:http and against bytes made by hand. */

import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { GatewayClient } from "../../../src/gateway/client.ts";
import type { Sandbox } from "../../support/sandbox.ts";
import { describe, expect, test } from "../../support/test.ts";
import { failureOf } from "./failure-of.ts";
import { type FakeUpstream, fakeUpstream, type Peer } from "./fake-upstream.ts";

const http = (upstream: FakeUpstream, keepAlive = false): GatewayClient =>
  new GatewayClient({ ...upstream, protocol: "http", keepAlive });

const headEnd = (peer: Peer, count = 1) =>
  peer.until((bytes) => bytes.toString("latin1").split("\r\n\r\n").length > count, "the request head");

const OK = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

test("the request as it stands, hop-by-hop fields left out", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await headEnd(peer);
    peer.socket.end(OK);
  });
  const headers = [
    "X-One",
    "1",
    "Proxy",
    "http://evil",
    "Connection",
    "upgrade",
    "Upgrade",
    "h2c",
    "x-one",
    "2",
  ];
  const response = await http(upstream).request({ uri: "/a%20b?c", headers });
  expect(await text(response.body)).toBe("hello");
  expect(upstream.peers[0]!.received.toString()).toBe(
    "GET /a%20b?c HTTP/1.1\r\nHost: localhost\r\nX-One: 1\r\nx-one: 2\r\nConnection: close\r\n\r\n",
  );
});

test.for([
  ["a buffer", Buffer.from("body"), /Content-Length: 4\r\n[\s\S]*\r\n\r\nbody$/],
  [
    "a stream",
    () => Readable.from([Buffer.from("bo"), Buffer.from("dy")]),
    /Transfer-Encoding: chunked\r\n[\s\S]*\r\n\r\n(?:2\r\nbo\r\n2\r\ndy|4\r\nbody)\r\n0\r\n\r\n$/,
  ],
  ["nothing", undefined, /Content-Length: 0\r\n[\s\S]*\r\n\r\n$/],
] as const)("a POST of %s", async ([, body, expected], { sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await peer.until((bytes) => expected.test(bytes.toString("latin1")), "the request");
    peer.socket.end(OK);
  });
  const source = typeof body === "function" ? body() : body;
  const response = await http(upstream).request({ method: "POST", uri: "/", body: source });
  expect(await text(response.body)).toBe("hello");
});

test("a large upload in chunks, over and over the high-water mark", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await peer.until((bytes) => bytes.subarray(-5).toString() === "0\r\n\r\n", "the end of the request");
    peer.socket.end(OK);
  });
  const body = Readable.from(Array.from({ length: 50 }, () => Buffer.alloc(65_528, "x")));
  const response = await http(upstream).request({ method: "POST", uri: "/", body });
  expect(await text(response.body)).toBe("hello");
});

test("repeated response headers, in order, and an interim response left out", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await headEnd(peer);
    await peer.drip(
      Buffer.from(
        "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 201 Made\r\nSet-Cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nhi",
      ),
    );
  });
  const response = await http(upstream).request({ uri: "/" });
  expect(response).toMatchObject({ status: 201, reason: "Made" });
  expect(response.headers).toEqual(["Set-Cookie", "a", "Set-Cookie", "b", "Content-Length", "2"]);
  expect(await text(response.body)).toBe("hi");
});

describe("kept connections", () => {
  async function server(
    sandbox: Sandbox,
    serve: RequestListener,
  ): Promise<{ server: Server; client: GatewayClient }> {
    const server = createServer(serve).listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    sandbox.defer(async () => {
      client.close();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    });
    const address = { kind: "tcp", host: "127.0.0.1", port, family: 4 } as const;
    const client = new GatewayClient({ address, protocol: "http", keepAlive: true });
    return { server, client };
  }

  test("carry what can be sent twice", async ({ sandbox }) => {
    const ports = new Set<number>();
    const { client } = await server(sandbox, (request, response) => {
      ports.add(request.socket.remotePort!);
      response.end("hello");
    });
    const reused: boolean[] = [];
    for (const method of ["GET", "GET", "POST", "GET"]) {
      const response = await client.request({ method, uri: "/" });
      expect(await text(response.body)).toBe("hello");
      reused.push(response.timings.reused);
    }
    expect(reused).toEqual([false, true, false, true]);
    expect(ports.size).toBe(2);
  });

  test("that have gone are replaced", async ({ sandbox }) => {
    let served = 0;
    const { client } = await server(sandbox, (request, response) => {
      served++;
      if (served === 2) request.socket.destroy();
      else response.end("hello");
    });
    for (let i = 0; i < 2; i++) {
      const response = await client.request({ uri: "/" });
      expect(await text(response.body)).toBe("hello");
    }
    expect(served).toBe(3);
  });
});

test.for([
  ["garbage", "\u0001\u0006\u0000\u0001", "GWPM_BAD_RESPONSE"],
  ["a CGI response", "Status: 200 OK\r\n\r\n", "GWPM_BAD_RESPONSE"],
  ["nothing", "", "GWPM_TRUNCATED"],
  ["half a head", "HTTP/1.1 200 OK\r\nX-", "GWPM_TRUNCATED"],
  ["half a body", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "GWPM_TRUNCATED"],
  ["half a chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhello", "GWPM_TRUNCATED"],
  ["a bad chunk", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nhello", "GWPM_BAD_RESPONSE"],
  [
    "a switch of protocols",
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
    "GWPM_BAD_RESPONSE",
  ],
] as const)("%s is no answer", async ([, bytes, code], { sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await headEnd(peer);
    peer.socket.end(Buffer.from(bytes, "latin1"));
  });
  const attempt = http(upstream)
    .request({ uri: "/" })
    .then(({ body }) => text(body));
  expect((await failureOf(attempt)).code).toBe(code);
});
