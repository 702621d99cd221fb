/** The HTTP listener as a process of its own, the way the supervisor runs it. */

import type { ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { ROOT } from "../support/paths.ts";
import type { Sandbox } from "../support/sandbox.ts";
import { describe, expect, test } from "../support/test.ts";
import { waitFor } from "../support/wait.ts";
import { Worker } from "../support/worker.ts";
import {
  endRequest,
  fakeUpstream,
  HELLO,
  type Peer,
  record,
  STDIN,
  STDOUT,
  stream,
} from "../unit/gateway/fake-upstream.ts";

const MAIN = join(ROOT, "dist", "src", "gateway", "http", "main.js");

interface Setup {
  readonly sockets?: number;
  readonly env?: NodeJS.ProcessEnv;
}

function startListener(sandbox: Sandbox, { sockets = 1, env = {} }: Setup = {}): Promise<Worker> {
  const address = `unix:${sandbox.path("up.sock")}`;
  return Worker.start(sandbox, "", {
    argv: [MAIN],
    protocol: "http",
    sockets,
    env: {
      GWPM_LISTEN_FDS: sockets === 1 ? "0" : "0,4",
      GWPM_GATEWAY: JSON.stringify({ address, protocol: "fastcgi", pool: "web" }),
      ...env,
    },
  });
}

const hello = async (peer: Peer): Promise<void> => {
  await peer.request();
  peer.socket.end(HELLO);
};

test("is ready, and serves every socket it was given", async ({ sandbox }) => {
  await fakeUpstream(sandbox, hello);
  const listener = await startListener(sandbox, { sockets: 2 });
  await listener.ready();
  expect(await listener.ask("/")).toEqual([200, "hello"]);
  expect(await listener.ask("/", { socket: 1, body: Buffer.from("x") })).toEqual([200, "hello"]);
});

describe("finishes what is active and ends with 0", () => {
  const DRAIN = { gwpm: "drain", deadlineMs: 5000, idle: "keep" };
  const WAYS: readonly (readonly [string, (process: ChildProcess) => unknown])[] = [
    ["told to drain", (process) => process.send(DRAIN)],
    ["by SIGTERM", (process) => process.kill("SIGTERM")],
    ["by SIGTERM, after it was told to drain", (process) => process.send(DRAIN) && process.kill("SIGTERM")],
  ];

  test.for(WAYS)("%s", async ([, stop], { sandbox }) => {
    let release = (): void => {};
    const upstream = await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      await new Promise<void>((resolve) => {
        release = resolve;
      });
      peer.socket.end(HELLO);
    });
    const listener = await startListener(sandbox);
    await listener.ready();
    const answer = listener.ask("/");
    await waitFor(() => upstream.peers[0]?.request(), { what: "the request to reach the worker" });
    stop(listener.process);
    await listener.refuses();
    release();
    expect(await answer).toEqual([200, "hello"]);
    expect(await listener.end()).toEqual({ code: 0, signal: null });
    expect(listener.stderr.text).toBe("");
  });
});

test("outlives its supervisor", async ({ sandbox }) => {
  await fakeUpstream(sandbox, hello);
  const listener = await startListener(sandbox);
  await listener.ready();
  listener.process.disconnect();
  expect(await listener.ask("/")).toEqual([200, "hello"]);
  listener.process.kill("SIGTERM");
  expect(await listener.end()).toEqual({ code: 0, signal: null });
});

test.for([
  ["no GWPM_GATEWAY", { GWPM_GATEWAY: undefined }, "GWPM_GATEWAY is not set"],
  ["no JSON", { GWPM_GATEWAY: "unix:/x" }, "not a JSON object"],
  ["another protocol", { GWPM_GATEWAY: '{"address":"unix:/x","protocol":"uwsgi","pool":"a"}' }, '"uwsgi"'],
  ["no address", { GWPM_GATEWAY: '{"address":"x","protocol":"scgi","pool":"a"}' }, '"x" is not an address'],
  ["no fds", { GWPM_LISTEN_FDS: "a" }, 'GWPM_LISTEN_FDS is "a"'],
] as const)("says what is wrong with its environment: %s", async ([, env, said], { sandbox }) => {
  const listener = await startListener(sandbox, { env });
  expect(await listener.end()).toEqual({ code: 2, signal: null });
  expect(listener.stderr.text).toContain("Cannot serve HTTP: ");
  expect(listener.stderr.text).toContain(said);
});

describe("a quarter of a gigabyte in bounded memory", () => {
  const TOTAL = 256 * 1024 ** 2;
  const CHUNK = Buffer.alloc(65_528, "z");
  /** What Node and its buffers may take; holding the body would take far more. */
  const LIMIT_BYTES = 160 * 1024 ** 2;

  const chunks = function* (): Generator<Buffer> {
    for (let left = TOTAL; left > 0; left -= CHUNK.length)
      yield CHUNK.subarray(0, Math.min(left, CHUNK.length));
  };
  const peakBytes = ({ process: { pid } }: Worker): number =>
    Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "latin1"))![1]) * 1024;

  test("down", async ({ sandbox }) => {
    await fakeUpstream(sandbox, async (peer) => {
      await peer.request();
      peer.socket.write(record(STDOUT, "Status: 200\r\n\r\n"));
      for (const chunk of chunks()) {
        if (!peer.socket.write(record(STDOUT, chunk)))
          await new Promise((go) => peer.socket.once("drain", go));
      }
      peer.socket.end(Buffer.concat([record(STDOUT), endRequest()]));
    });
    const listener = await startListener(sandbox);
    await listener.ready();
    const response = await listener.clients[0]!.request({ uri: "/" });
    let received = 0;
    for await (const chunk of response.body) received += (chunk as Buffer).length;
    expect(received).toBe(TOTAL);
    expect(peakBytes(listener)).toBeLessThan(LIMIT_BYTES);
  });

  test.for(["fastcgi", "scgi"] as const)("up, in chunks, to %s", async (protocol, { sandbox }) => {
    await fakeUpstream(sandbox, (peer) => {
      // Counts what comes; the frames of FastCGI add a little, and its end is an empty STDIN record.
      let received = 0;
      let tail = Buffer.alloc(0);
      peer.socket.removeAllListeners("data");
      peer.socket.on("data", (chunk: Buffer) => {
        received += chunk.length;
        tail = Buffer.concat([tail, chunk]).subarray(-8);
        const ended = protocol === "scgi" || tail.equals(record(STDIN));
        if (received < TOTAL || !ended) return;
        peer.socket.end(protocol === "scgi" ? "Status: 200\r\nContent-Length: 5\r\n\r\nhello" : HELLO);
      });
    });
    const address = `unix:${sandbox.path("up.sock")}`;
    const env = { GWPM_GATEWAY: JSON.stringify({ address, protocol, pool: "web" }) };
    const listener = await startListener(sandbox, { env });
    await listener.ready();
    const body = Readable.from(chunks());
    const response = await listener.clients[0]!.request({ method: "POST", uri: "/", body });
    expect(await text(response.body)).toBe("hello");
    expect(peakBytes(listener)).toBeLessThan(LIMIT_BYTES);
  });
});

test("a body that is cut off reaches no worker as a whole one", async ({ sandbox }) => {
  const upstream = await fakeUpstream(sandbox, () => {});
  const listener = await startListener(sandbox);
  await listener.ready();
  const source = new Readable({ read() {} });
  source.push("half");
  const abort = new AbortController();
  const attempt = listener.clients[0]!.request({
    method: "POST",
    uri: "/",
    body: source,
    signal: abort.signal,
  });
  attempt.catch(() => {});
  const peer = await waitFor(() => upstream.peers[0], { what: "the worker's connection" });
  await peer.until((bytes) => stream(bytes, STDIN).length === 4, "half the body");
  abort.abort();
  await expect(attempt).rejects.toThrow("aborted");
  await peer.gone;
  expect(peer.received.subarray(-8).equals(record(STDIN))).toBe(false);
  source.destroy();
});
