/** The SCGI client against a peer that sends bytes made by hand. */

import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { GatewayClient } from "../../../src/gateway/client.ts";
import { describe, expect, test } from "../../support/test.ts";
import { waitFor } from "../../support/wait.ts";
import { failureOf } from "./failure-of.ts";
import { type FakeUpstream, fakeUpstream, type Peer } from "./fake-upstream.ts";

const HELLO = "Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nhello";

/** The variables and the body of a request, where it is complete: taken apart by the words of the SCGI document. */
function parse(bytes: Buffer): { list: string[]; body: Buffer } | undefined {
  const colon = bytes.indexOf(":");
  if (colon < 0) return undefined;
  const end = colon + 1 + Number(bytes.toString("latin1", 0, colon));
  if (bytes.length <= end) return undefined;
  expect(bytes[end]).toBe(0x2c); // ","
  const list = bytes.toString("latin1", colon + 1, end).split("\0");
  expect(list.pop()).toBe(""); // each string ends in a NUL
  const body = bytes.subarray(end + 1);
  return body.length >= Number(list[1]) ? { list, body } : undefined;
}

async function request(
  peer: Peer,
): Promise<{ variables: Record<string, string>; list: string[]; body: Buffer }> {
  await peer.until((bytes) => parse(bytes) !== undefined, "an SCGI request");
  const { list, body } = parse(peer.received)!;
  const variables: Record<string, string> = {};
  for (let i = 0; i < list.length; i += 2) variables[list[i]!] = list[i + 1]!;
  return { variables, list, body };
}

const scgi = (upstream: FakeUpstream): GatewayClient => new GatewayClient({ ...upstream, protocol: "scgi" });

const replying =
  (cgi: string) =>
  async (peer: Peer): Promise<void> => {
    await request(peer);
    peer.socket.end(cgi);
  };

test("CONTENT_LENGTH first, then SCGI, then the rest, then the body", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, replying(HELLO));
  const response = await scgi(upstream).request({ method: "POST", uri: "/x?y", body: Buffer.from("body") });
  expect(response).toMatchObject({ status: 200, reason: "OK", headers: ["Content-Type", "text/plain"] });
  expect(await text(response.body)).toBe("hello");
  const { list, variables, body } = await request(upstream.peers[0]!);
  expect(list.slice(0, 4)).toEqual(["CONTENT_LENGTH", "4", "SCGI", "1"]);
  expect(variables).toMatchObject({ REQUEST_METHOD: "POST", REQUEST_URI: "/x?y", PATH_INFO: "/x" });
  expect(body.toString()).toBe("body");
});

test("a request without a body says so", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, replying(HELLO));
  (await scgi(upstream).request({ uri: "/" })).body.resume();
  expect((await request(upstream.peers[0]!)).variables.CONTENT_LENGTH).toBe("0");
});

test("a response byte by byte", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await request(peer);
    await peer.drip(Buffer.from(HELLO));
    peer.socket.end();
  });
  const response = await scgi(upstream).request({ uri: "/" });
  expect(await text(response.body)).toBe("hello");
});

test("a response whose Content-Length has come needs no end of the connection", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await request(peer);
    peer.socket.write("Status: 200\r\nContent-Length: 5\r\n\r\nhello");
  });
  const response = await scgi(upstream).request({ uri: "/" });
  expect(await text(response.body)).toBe("hello");
  await upstream.peers[0]!.gone;
});

describe("a stream of unknown length", () => {
  test.for([
    ["in memory", 1000],
    ["in a file", 3_000_000],
  ] as const)("is put aside and measured: %s", async ([, size], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const body = Readable.from(
      (function* () {
        for (let left: number = size; left > 0; left -= 1000) yield Buffer.alloc(Math.min(1000, left), "x");
      })(),
    );
    (await scgi(upstream).request({ method: "POST", uri: "/", body })).body.resume();
    const seen = await request(upstream.peers[0]!);
    expect(seen.variables.CONTENT_LENGTH).toBe(String(size));
    expect(seen.body.equals(Buffer.alloc(size, "x"))).toBe(true);
  });

  test("connects only when it is complete", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    let reads = 0;
    const source = new Readable({ read: () => void reads++ });
    source.push("a");
    const attempt = scgi(upstream).request({ method: "POST", uri: "/", body: source });
    await waitFor(() => reads > 0 && source.readableLength === 0, { what: "the first part to be read" });
    expect(upstream.peers.length).toBe(0);
    source.push(null);
    (await attempt).body.resume();
    expect(upstream.peers.length).toBe(1);
  });

  test("that fails, stalls, or outlives its deadline", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(HELLO));
    const post = (body: Readable, timeoutMs?: number) =>
      failureOf(
        new GatewayClient({ ...upstream, protocol: "scgi", timeouts: { silenceMs: 30 } }).request({
          method: "POST",
          uri: "/",
          body,
          timeoutMs,
        }),
      );
    const failing = new Readable({
      read() {
        this.destroy(new Error("disk on fire"));
      },
    });
    expect(await post(failing)).toMatchObject({
      code: "GWPM_BODY_FAILED",
      message: expect.stringContaining("disk on fire"),
    });
    expect(await post(new Readable({ read() {} }))).toMatchObject({
      code: "GWPM_BODY_FAILED",
      message: expect.stringContaining("30 ms"),
    });
    expect((await post(new Readable({ read() {} }), 10)).code).toBe("GWPM_TIMED_OUT");
    expect(upstream.peers.length).toBe(0);
  });
});

describe("what is no answer", () => {
  test.for([
    ["nothing", "", "GWPM_TRUNCATED"],
    ["half a head", "Status: 200 OK\r\nX-", "GWPM_TRUNCATED"],
    ["garbage", "\u0001\u0006\u0000\u0001 garbage\r\n\r\n", "GWPM_BAD_RESPONSE"],
    ["half of Content-Length", "Status: 200\r\nContent-Length: 9\r\n\r\nhello", "GWPM_TRUNCATED"],
  ] as const)("%s", async ([, cgi, code], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, replying(cgi));
    const attempt = scgi(upstream)
      .request({ uri: "/" })
      .then(({ body }) => text(body));
    expect((await failureOf(attempt)).code).toBe(code);
  });

  test("a worker that dies before it has answered", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, (peer) => {
      peer.socket.pause();
      peer.socket.destroy();
    });
    const attempt = scgi(upstream).request({ method: "POST", uri: "/", body: Buffer.alloc(5_000_000) });
    expect((await failureOf(attempt)).code).toBe("GWPM_TRUNCATED");
  });
});

test("an answer from a worker that closes without reading the body", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, async (peer) => {
    await peer.until((bytes) => bytes.includes(","), "the variables");
    peer.socket.pause();
    peer.socket.write("Status: 413\r\nContent-Length: 8\r\n\r\ntoo long", () => peer.socket.destroy());
  });
  const response = await scgi(upstream).request({ method: "POST", uri: "/", body: Buffer.alloc(20_000_000) });
  expect(response.status).toBe(413);
  expect(await text(response.body)).toBe("too long");
});
