/** Kept FastCGI connections: when they are used, when they are not, and what happens when one has gone. */

import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { GatewayClient, type GatewayRequest } from "../../../src/gateway/client.ts";
import { describe, expect, test } from "../../support/test.ts";
import { waitFor } from "../../support/wait.ts";
import { failureOf } from "./failure-of.ts";
import {
  answer,
  type FakeUpstream,
  fakeUpstream,
  HELLO,
  type Peer,
  record,
  records,
  STDERR,
} from "./fake-upstream.ts";

async function get(client: GatewayClient, request: Partial<GatewayRequest> = {}) {
  const response = await client.request({ uri: "/", ...request });
  expect(await text(response.body)).toBe("hello");
  return response;
}

const keeping = (upstream: FakeUpstream, keptMs = 60_000): GatewayClient =>
  new GatewayClient({ ...upstream, keepAlive: true, timeouts: { keptMs } });

/** Answers every request on the connection. */
async function serveAll(peer: Peer): Promise<void> {
  for (let count = 1; ; count++) {
    await Promise.race([peer.request(count), peer.gone]);
    if (peer.socket.readableEnded || peer.socket.destroyed) return;
    peer.socket.write(HELLO);
  }
}

test("one after the other on one connection, with KEEP_CONN", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, serveAll);
  const client = keeping(upstream);
  const reused = [];
  for (let i = 0; i < 3; i++) reused.push((await get(client)).timings.reused);
  expect(reused).toEqual([false, true, true]);
  expect(upstream.peers.length).toBe(1);
  const [begin] = records(upstream.peers[0]!.received);
  expect(begin!.content.toString("hex")).toBe("0001010000000000");
  client.close();
  await upstream.peers[0]!.gone;
});

test("never two at a time on one connection", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, serveAll);
  const client = keeping(upstream);
  await Promise.all([get(client), get(client), get(client)]);
  expect(upstream.peers.length).toBe(3);
  await Promise.all([get(client), get(client), get(client)]);
  expect(upstream.peers.length).toBe(3);
  client.close();
});

test("only what can be sent twice travels on a kept connection", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, serveAll);
  const client = keeping(upstream);
  await get(client);
  await get(client, { method: "PUT", body: Buffer.from("x") });
  expect(upstream.peers.length).toBe(1);
  await get(client, { method: "POST", body: Buffer.from("x") });
  await get(client, { method: "PUT", body: Readable.from([Buffer.from("x")]) });
  await get(client, { method: "PATCH" });
  expect(upstream.peers.length).toBe(4);
  client.close();
});

describe("with `once`", () => {
  const sendingOnce = (upstream: FakeUpstream): GatewayClient =>
    new GatewayClient({ ...upstream, keepAlive: true, once: true });

  test("a POST travels on a kept connection, too", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, serveAll);
    const client = sendingOnce(upstream);
    await get(client);
    const { timings } = await get(client, { method: "POST", body: Buffer.from("x") });
    expect(timings.reused).toBe(true);
    expect(upstream.peers.length).toBe(1);
    client.close();
  });

  test("a GET whose kept connection breaks is a failure, and is not sent again", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      peer.socket.write(HELLO);
      await peer.request(2);
      peer.socket.destroy();
    });
    const client = sendingOnce(upstream);
    await get(client);
    const { code } = await failureOf(client.request({ uri: "/", timeoutMs: 60_000 }));
    expect(code).toBe("GWPM_TRUNCATED");
    expect(upstream.peers.length).toBe(1);
    client.close();
  });
});

describe("is not kept", () => {
  test.for([
    [
      "when bytes follow END_REQUEST in the same write",
      Buffer.concat([HELLO, record(STDERR).subarray(0, 4)]),
    ],
    ["when the worker said that it is overloaded", answer("Status: 200\r\n\r\nhello", 2)],
    ["when the worker cannot multiplex", answer("Status: 200\r\n\r\nhello", 1)],
  ] as const)("%s", async ([, bytes], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      peer.socket.write(bytes);
    });
    const client = keeping(upstream);
    await get(client);
    await upstream.peers[0]!.gone;
    expect((await get(client)).timings.reused).toBe(false);
    client.close();
  });

  test("when the worker closes it, or sends what nobody asked for", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer, index) => {
      await peer.request();
      peer.socket.write(HELLO);
      if (index === 0) peer.socket.end();
      if (index === 1) setImmediate(() => peer.socket.write(record(STDERR, "late")));
    });
    const client = keeping(upstream);
    for (const index of [0, 1]) {
      expect((await get(client)).timings.reused).toBe(false);
      await upstream.peers[index]!.gone;
    }
    client.close();
  });

  test("longer than it should be", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, serveAll);
    const client = keeping(upstream, 20);
    await get(client);
    await upstream.peers[0]!.gone;
    await get(client);
    expect(upstream.peers.length).toBe(2);
    client.close();
  });
});

describe("a connection that was closed at the very moment of reuse", () => {
  /** The first connection serves one request and meets the second one as `end` says. */
  const stale = (end: (peer: Peer) => unknown) => async (peer: Peer, index: number) => {
    await peer.request();
    peer.socket.write(HELLO);
    if (index > 0) return;
    await peer.request(2);
    await end(peer);
  };

  test.for([
    ["closed", (peer: Peer) => peer.socket.end()],
    ["reset", (peer: Peer) => peer.socket.destroy()],
  ] as const)("%s: the request is sent once more", async ([, end], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, stale(end));
    const client = keeping(upstream);
    await get(client);
    const second = await get(client, { uri: "/again" });
    expect(second.timings.reused).toBe(false);
    expect(upstream.peers.length).toBe(2);
    client.close();
  });

  test("before a byte of the request could be written", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer, index) => {
      await peer.request();
      peer.socket.write(HELLO);
      if (index === 0) peer.socket.destroySoon();
    });
    const client = keeping(upstream);
    // Whatever the client has noticed by then, no request may be lost.
    for (let i = 0; i < 2; i++) await get(client);
    expect(upstream.peers.length).toBe(2);
    client.close();
  });

  test("but not when the answer had begun", async ({ sandbox }) => {
    const upstream = await fakeUpstream(
      sandbox,
      stale((peer) => peer.socket.end(HELLO.subarray(0, 3))),
    );
    const client = keeping(upstream);
    await get(client);
    expect((await failureOf(client.request({ uri: "/" }))).code).toBe("GWPM_TRUNCATED");
    expect(upstream.peers.length).toBe(1);
    client.close();
  });

  test("and not more than once", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer, index) => {
      await peer.request();
      if (index === 0) peer.socket.write(HELLO);
      if (index === 0) await peer.request(2);
      peer.socket.end();
    });
    const client = keeping(upstream);
    await get(client);
    expect((await failureOf(client.request({ uri: "/" }))).code).toBe("GWPM_TRUNCATED");
    expect(upstream.peers.length).toBe(2);
    client.close();
  });

  test("nor without the limits of the first time", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer, index) => {
      await peer.request();
      if (index > 0) return;
      peer.socket.write(HELLO);
      await peer.request(2);
      peer.socket.end();
    });
    const client = keeping(upstream);
    await get(client);
    const late = await failureOf(client.request({ uri: "/", timeoutMs: 100 }));
    expect(late.code).toBe("GWPM_TIMED_OUT");
    expect(upstream.peers.length).toBe(2);
    client.close();
  });

  test("a thousand requests while the peer closes after every third response: none is lost", async ({
    sandbox,
  }) => {
    let served = 0;
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      for (let count = 1; count <= 3; count++) {
        await Promise.race([peer.request(count), peer.gone]);
        if (peer.socket.readableEnded) return;
        served++;
        peer.socket.write(HELLO);
      }
      peer.socket.end();
    });
    const client = keeping(upstream);
    const worker = async (): Promise<void> => {
      for (let i = 0; i < 125; i++) await get(client, i % 2 === 0 ? {} : { method: "POST" });
    };
    await Promise.all(Array.from({ length: 8 }, worker));
    expect(served).toBeGreaterThanOrEqual(1000);
    client.close();
    await waitFor(() => upstream.peers.every(({ socket }) => socket.readableEnded), {
      what: "the connections to close",
    });
  });
});

test("a response whose reader gives up takes its connection with it", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await peer.request();
    peer.socket.write(HELLO.subarray(0, HELLO.length - 20));
  });
  const client = keeping(upstream);
  const { body } = await client.request({ uri: "/" });
  body.destroy();
  await upstream.peers[0]!.gone;
  client.close();
});
