/** Timeouts, aborts and back-pressure, in every phase of a request. */

import { Readable } from "node:stream";
import { buffer, text } from "node:stream/consumers";
import { GatewayClient, type GatewayProtocol } from "../../../src/gateway/client.ts";
import { describe, expect, test } from "../../support/test.ts";
import { waitFor } from "../../support/wait.ts";
import { failureOf } from "./failure-of.ts";
import { endRequest, type FakeUpstream, fakeUpstream, type Peer, record, STDOUT } from "./fake-upstream.ts";

interface Dialect {
  readonly protocol: GatewayProtocol;
  /** The response's head, a part of its body, and its end. */
  readonly head: Buffer;
  body(content: Buffer | string): Buffer;
  readonly end: Buffer;
}

const DIALECTS: readonly Dialect[] = [
  {
    protocol: "fastcgi",
    head: record(STDOUT, "Status: 200 OK\r\nX: y\r\n\r\n"),
    body: (content) => record(STDOUT, content),
    end: Buffer.concat([record(STDOUT), endRequest()]),
  },
  {
    protocol: "scgi",
    head: Buffer.from("Status: 200 OK\r\nX: y\r\n\r\n"),
    body: (content) => Buffer.from(content as string),
    end: Buffer.alloc(0),
  },
  {
    protocol: "http",
    head: Buffer.from("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    body: (content) =>
      Buffer.concat([
        Buffer.from(`${content.length.toString(16)}\r\n`),
        Buffer.from(content as string),
        Buffer.from("\r\n"),
      ]),
    end: Buffer.from("0\r\n\r\n"),
  },
];

const begun = (peer: Peer) => peer.until((bytes) => bytes.length > 0, "the request to begin");

describe.for(DIALECTS)("$protocol", ({ protocol, head, body, end }) => {
  const clientOf = (upstream: FakeUpstream, silenceMs: number | null = null): GatewayClient =>
    new GatewayClient({ ...upstream, protocol, timeouts: { silenceMs } });

  describe("a silent upstream", () => {
    test("before the head", async ({ sandbox }) => {
      const upstream = await fakeUpstream(sandbox, () => {});
      const error = await failureOf(clientOf(upstream, 40).request({ uri: "/" }));
      expect(error).toMatchObject({
        code: "GWPM_TIMED_OUT",
        message: expect.stringContaining("response head"),
      });
      await upstream.peers[0]!.gone;
    });

    test("in the middle of the body", async ({ sandbox }) => {
      const upstream = await fakeUpstream(sandbox, (peer) =>
        peer.socket.write(Buffer.concat([head, body("half")])),
      );
      const response = await clientOf(upstream, 40).request({ uri: "/" });
      const error = await failureOf(buffer(response.body));
      expect(error).toMatchObject({ code: "GWPM_TIMED_OUT", message: expect.stringContaining("the rest") });
      await upstream.peers[0]!.gone;
    });

    test("that does not take the request body", async ({ sandbox }) => {
      const upstream = await fakeUpstream(sandbox, (peer) => peer.socket.pause());
      const source = new Readable({
        read() {
          this.push(Buffer.alloc(65_536));
        },
      });
      const headers = ["Content-Length", "99999999"];
      const attempt = clientOf(upstream, 60).request({ method: "POST", uri: "/", body: source, headers });
      expect((await failureOf(attempt)).code).toBe("GWPM_TIMED_OUT");
      source.destroy();
    });
  });

  test("a head that trickles does not last for ever", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      const timer = setInterval(() => peer.socket.write(head.subarray(0, 1)), 10);
      peer.socket.once("close", () => clearInterval(timer));
      if (protocol === "fastcgi") peer.socket.write(Buffer.from([1, STDOUT, 0, 1, 255, 255, 0, 0]));
      await peer.gone;
      clearInterval(timer);
    });
    const error = await failureOf(clientOf(upstream, 100).request({ uri: "/" }));
    // An HTTP parser sees at once that "HHHH" is no head.
    expect(error.code).toBe(protocol === "http" ? "GWPM_BAD_RESPONSE" : "GWPM_TIMED_OUT");
  });

  test("a body that trickles may", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      peer.socket.write(head);
      for (let i = 0; i < 8; i++) {
        await new Promise((resolve) => setTimeout(resolve, 75));
        peer.socket.write(body("x"));
      }
      peer.socket.end(end);
    });
    const response = await clientOf(upstream, 450).request({ uri: "/" });
    expect(await text(response.body)).toBe("xxxxxxxx");
    expect(response.timings.totalMs).toBeGreaterThan(450);
  });

  test("a source that falls silent is not the upstream's fault", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, () => {});
    const source = new Readable({ read() {} });
    source.push("some");
    const headers = ["Content-Length", "100"];
    const attempt = clientOf(upstream, 40).request({ method: "POST", uri: "/", body: source, headers });
    const error = await failureOf(attempt);
    expect(error).toMatchObject({ code: "GWPM_BODY_FAILED", message: expect.stringContaining("40 ms") });
    await upstream.peers[0]!.gone;
  });

  test.for([
    ["shorter", "abc"],
    ["longer", "abcdef"],
  ])("a source that is %s than its Content-Length", async ([, content], { sandbox }) => {
    const upstream = await fakeUpstream(sandbox, () => {});
    const source = Readable.from([Buffer.from(content!)]);
    const headers = ["Content-Length", "4"];
    const attempt = clientOf(upstream).request({ method: "POST", uri: "/", body: source, headers });
    expect(await failureOf(attempt)).toMatchObject({
      code: "GWPM_BODY_FAILED",
      message: expect.stringContaining("Content-Length"),
    });
    await waitFor(
      () =>
        upstream.peers.length === 0 ||
        upstream.peers[0]!.socket.readableEnded ||
        upstream.peers[0]!.socket.destroyed,
      { what: "the connection to be given up" },
    );
  });

  test("a source that fails", async ({ sandbox }) => {
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await begun(peer);
      source.destroy(new Error("disk on fire"));
    });
    const source = new Readable({ read() {} });
    source.push("some");
    const headers = ["Content-Length", "100"];
    const attempt = clientOf(upstream).request({ method: "POST", uri: "/", body: source, headers });
    expect((await failureOf(attempt)).message).toContain("disk on fire");
    await upstream.peers[0]!.gone;
  });

  describe("an abort closes the connection", () => {
    test("while the body goes out", async ({ sandbox }) => {
      const upstream = await fakeUpstream(sandbox, async (peer) => {
        await begun(peer);
        abort.abort(new Error("changed my mind"));
      });
      const abort = new AbortController();
      const source = new Readable({ read() {} });
      source.push("some");
      const headers = ["Content-Length", "100"];
      const request = { method: "POST", uri: "/", body: source, headers, signal: abort.signal };
      const error = await failureOf(clientOf(upstream).request(request));
      expect(error).toMatchObject({
        code: "GWPM_ABORTED",
        cause: expect.objectContaining({ message: "changed my mind" }),
      });
      await upstream.peers[0]!.gone;
      source.destroy();
    });

    test("while waiting for the head", async ({ sandbox }) => {
      const upstream = await fakeUpstream(sandbox, async (peer) => {
        await begun(peer);
        peer.socket.write(head.subarray(0, 5), () => abort.abort());
      });
      const abort = new AbortController();
      const error = await failureOf(clientOf(upstream).request({ uri: "/", signal: abort.signal }));
      expect(error.code).toBe("GWPM_ABORTED");
      await upstream.peers[0]!.gone;
    });

    test("in the middle of the body, by signal, by timeout and by destroying it", async ({ sandbox }) => {
      const upstream = await fakeUpstream(sandbox, (peer) =>
        peer.socket.write(Buffer.concat([head, body("half")])),
      );
      const client = clientOf(upstream);
      const abort = new AbortController();
      const first = await client.request({ uri: "/", signal: abort.signal });
      abort.abort();
      expect((await failureOf(buffer(first.body))).code).toBe("GWPM_ABORTED");
      await upstream.peers[0]!.gone;
      const second = await client.request({ uri: "/", timeoutMs: 60 });
      expect((await failureOf(buffer(second.body))).code).toBe("GWPM_TIMED_OUT");
      await upstream.peers[1]!.gone;
      const third = await client.request({ uri: "/" });
      third.body.destroy();
      await upstream.peers[2]!.gone;
    });

    test("after the end it does nothing", async ({ sandbox }) => {
      const upstream = await fakeUpstream(sandbox, async (peer) => {
        await begun(peer);
        peer.socket.end(Buffer.concat([head, body("all"), end]));
      });
      const abort = new AbortController();
      const response = await clientOf(upstream).request({
        uri: "/",
        signal: abort.signal,
        timeoutMs: 60_000,
      });
      await waitFor(() => response.timings.totalMs !== null, { what: "the end of the response" });
      abort.abort();
      expect(await text(response.body)).toBe("all");
    });
  });

  describe("back-pressure", () => {
    const CHUNK = Buffer.alloc(32_768, "z");
    /** What sockets and streams may hold between the two ends. */
    const SLACK = 4 * 1024 ** 2;
    const TOTAL = 32 * 1024 ** 2;

    test("a reader who takes his time slows the upstream down, and no timeout strikes", async ({
      sandbox,
    }) => {
      let sent = 0;
      const upstream = await fakeUpstream(sandbox, (peer) => {
        const more = (): void => {
          let room = true;
          while (room && sent < TOTAL) {
            room = peer.socket.write(body(CHUNK));
            sent += CHUNK.length;
          }
          if (sent >= TOTAL) peer.socket.end(end);
          else peer.socket.once("drain", more);
        };
        peer.socket.write(head);
        more();
      });
      const response = await clientOf(upstream, 150).request({ uri: "/" });
      await new Promise((resolve) => setTimeout(resolve, 400)); // well past the limit of a silent upstream
      expect(sent).toBeLessThan(SLACK);
      let received = 0;
      for await (const chunk of response.body) received += (chunk as Buffer).length;
      expect(received).toBe(TOTAL);
    });

    test("an upstream that takes its time slows the source down", async ({ sandbox }) => {
      const upstream = await fakeUpstream(sandbox, async (peer) => {
        peer.socket.pause();
        peer.socket.removeAllListeners("data");
        let received = 0;
        peer.socket.on("data", (chunk: Buffer) => {
          received += chunk.length;
          if (received > TOTAL) peer.socket.end(Buffer.concat([head, body(String("done")), end]));
        });
        peer.socket.pause();
      });
      let produced = 0;
      const source = new Readable({
        read() {
          if (produced >= TOTAL) this.push(null);
          else this.push(CHUNK);
          produced += CHUNK.length;
        },
      });
      const headers = ["Content-Length", String(TOTAL)];
      const attempt = clientOf(upstream).request({ method: "POST", uri: "/", body: source, headers });
      let before = 0;
      const heldUp = (): boolean => {
        const moved = produced !== before;
        before = produced;
        return produced > 0 && !moved;
      };
      await waitFor(heldUp, { what: "the source to be held up" });
      expect(produced).toBeLessThan(SLACK);
      upstream.peers[0]!.socket.resume();
      expect(await text((await attempt).body)).toBe("done");
    });
  });
});
