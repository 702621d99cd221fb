/** Connections over the kernel's sockets, where Node's own buffers, pauses and closes take part. */

import { mkdtempSync, rmSync } from "node:fs";
import {
  type AddressInfo,
  connect,
  createServer,
  type ListenOptions,
  type Server,
  type Socket,
} from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FastCgiClient, type ResponseEnd } from "../../../src/protocol/fastcgi/client.ts";
import type { Connection } from "../../../src/worker/connection.ts";
import { ConnectionContext } from "../../../src/worker/connection-context.ts";
import { FastCgiConnection } from "../../../src/worker/fastcgi-connection.ts";
import { type GatewayHandler, gatewayLane } from "../../../src/worker/gateway-lane.ts";
import { ScgiConnection } from "../../../src/worker/scgi-connection.ts";
import { fastcgiRequest, scgiRequest, stdin, stdinEnd } from "./requests.ts";
import { WIRE } from "./wire.ts";

const MEGABYTE = 1_048_576;

let folder: string;
let server: Server | undefined;
const sockets = new Set<Socket>();

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gwpm-wire-"));
});

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => (server === undefined ? resolve(null) : server.close(resolve)));
  server = undefined;
  rmSync(folder, { recursive: true });
});

/** Serves `handler`, and connects to it. */
async function open(
  where: "unix" | "tcp",
  handler: GatewayHandler,
  Class: typeof FastCgiConnection | typeof ScgiConnection = FastCgiConnection,
): Promise<{ client: Socket; connection: () => Connection }> {
  const context = new ConnectionContext({
    handler: gatewayLane(handler, ""),
    wire: WIRE,
    idleConnectionMs: null,
  });
  let connection: Connection | undefined;
  server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    connection = new Class(socket, context);
  });
  const options: ListenOptions =
    where === "unix" ? { path: join(folder, "s") } : { host: "127.0.0.1", port: 0 };
  await new Promise<void>((resolve) => server!.listen(options, resolve));
  const address = server.address();
  const { port } = address as AddressInfo;
  const target = typeof address === "string" ? { path: address } : { host: "127.0.0.1", port };
  const client = connect({ ...target, allowHalfOpen: true });
  sockets.add(client);
  client.on("error", () => {});
  await new Promise((resolve) => client.once("connect", resolve));
  return { client, connection: () => connection! };
}

interface Received {
  bytes: number;
  sum: number;
  readonly end: ResponseEnd;
}

/** Reads one response without keeping it. */
function receive(client: Socket, id = 1): Promise<Received> {
  return new Promise((resolve) => {
    let bytes = 0;
    let sum = 0;
    const decoder = new FastCgiClient();
    decoder.expect(id, {
      onHead() {},
      onBody(chunk) {
        bytes += chunk.length;
        sum = checksum(sum, chunk);
      },
      onStderr() {},
      onEnd: (end) => resolve({ bytes, sum, end }),
    });
    client.on("data", (chunk: Buffer) => decoder.push(chunk));
    client.on("close", () => decoder.end());
  });
}

function checksum(sum: number, chunk: Buffer): number {
  let result = sum;
  for (let i = 0; i < chunk.length; i += 997) result = (result * 31 + chunk[i]!) >>> 0;
  return result;
}

async function write(client: Socket, bytes: Buffer): Promise<void> {
  if (client.write(bytes)) return;
  await new Promise((resolve) => client.once("drain", resolve));
}

describe.each(["unix", "tcp"] as const)("over %s", (where) => {
  it("serves requests on a kept connection", async () => {
    const { client } = await open(where, (request, response) => response.send(200, {}, request.url));
    for (const uri of ["/a", "/b", "/c"]) {
      const received = receive(client);
      client.write(fastcgiRequest({ params: { REQUEST_URI: uri } }));
      expect((await received).bytes).toBe(2);
      client.removeAllListeners("data");
    }
  });

  it("takes a large upload with little memory, though the handler is slower than the wire", async () => {
    const total = 256;
    let peak = 0;
    let size = 0;
    const { client } = await open(where, async (request, response) => {
      for await (const chunk of request.body) {
        size += chunk.length;
        // Between turns of the event loop the front end goes on sending.
        if (size % 7 === 0) await new Promise((resolve) => setImmediate(resolve));
        peak = Math.max(peak, process.memoryUsage().arrayBuffers);
      }
      response.send(200, {}, String(size));
    });
    const before = process.memoryUsage().arrayBuffers;
    const received = receive(client);
    client.write(fastcgiRequest({ body: null }));
    const part = stdin(Buffer.alloc(MEGABYTE, "x"));
    for (let i = 0; i < total; i++) await write(client, part);
    client.write(stdinEnd());
    const { end } = await received;
    expect(end.complete).toBe(true);
    expect(size).toBe(total * MEGABYTE);
    expect(peak - before).toBeLessThan(80 * MEGABYTE);
  }, 30_000);

  it("sends a large response with little memory to a slow reader", async () => {
    const total = 256;
    let peak = 0;
    const part = Buffer.alloc(MEGABYTE, "y");
    const { client } = await open(where, async (_request, response) => {
      response.head(200);
      for (let i = 0; i < total; i++) {
        await response.write(part);
        peak = Math.max(peak, process.memoryUsage().arrayBuffers);
      }
    });
    const before = process.memoryUsage().arrayBuffers;
    const received = receive(client);
    client.pause();
    client.write(fastcgiRequest());
    const slowly = setInterval(() => (client.isPaused() ? client.resume() : client.pause()), 2);
    const { bytes, end } = await received;
    clearInterval(slowly);
    expect(end.complete).toBe(true);
    expect(bytes).toBe(total * MEGABYTE);
    expect(peak - before).toBeLessThan(80 * MEGABYTE);
  }, 30_000);

  it("tells the handler when the front end is gone", async () => {
    let aborted: (() => void) | undefined;
    const gone = new Promise<void>((resolve) => {
      aborted = resolve;
    });
    const { client } = await open(where, (request, response) => {
      response.head(200);
      void response.write("x");
      request.signal.addEventListener("abort", () => aborted?.());
    });
    client.once("data", () => client.destroy());
    client.write(fastcgiRequest());
    await gone;
  });

  it("gets the response to a peer that sends a body which nobody reads", async () => {
    const { client } = await open(where, (_request, response) => response.send(200, {}, "early"));
    const received = receive(client);
    await write(client, fastcgiRequest({ body: null, keep: false }));
    for (let i = 0; i < 8; i++) await write(client, stdin(Buffer.alloc(MEGABYTE)));
    client.end(stdinEnd());
    expect(await received).toMatchObject({ bytes: 5, end: { complete: true } });
  });

  it("hands multiplexed bodies to their own requests, one of which does not read for a while", async () => {
    const sizes: Record<string, number> = {};
    let go: (() => void) | undefined;
    const wait = new Promise<void>((resolve) => {
      go = resolve;
    });
    const { client } = await open(where, async (request, response) => {
      if (request.url === "/slow") await wait;
      sizes[request.url] = (await request.buffer()).length;
      response.send(200, {}, "ok");
    });
    const slow = receive(client, 1);
    const fast = receive(client, 3);
    client.write(fastcgiRequest({ id: 1, body: null, params: { REQUEST_URI: "/slow" } }));
    client.write(fastcgiRequest({ id: 3, body: null, params: { REQUEST_URI: "/fast" } }));
    const writing = (async () => {
      for (let i = 0; i < 8; i++) {
        await write(client, Buffer.concat([stdin(Buffer.alloc(100_000), 1), stdin(Buffer.alloc(50_000), 3)]));
      }
      await write(client, Buffer.concat([stdinEnd(3), stdinEnd(1)]));
    })();
    go?.();
    await writing;
    expect((await fast).end.complete).toBe(true);
    expect((await slow).end.complete).toBe(true);
    expect(sizes).toEqual({ "/slow": 800_000, "/fast": 400_000 });
  });

  it("serves SCGI, and ends", async () => {
    const handler: GatewayHandler = async (request, response) =>
      response.send(200, {}, await request.buffer());
    const { client } = await open(where, handler, ScgiConnection);
    const chunks: Buffer[] = [];
    client.on("data", (chunk: Buffer) => chunks.push(chunk));
    client.write(scgiRequest(Buffer.alloc(300_000, "z")));
    await new Promise((resolve) => client.once("end", resolve));
    const text = Buffer.concat(chunks).toString("latin1");
    expect(text.startsWith("Status: 200 OK\r\nContent-Length: 300000\r\n\r\n")).toBe(true);
    expect(text.endsWith("z".repeat(1000))).toBe(true);
    expect(text).toHaveLength(300_000 + "Status: 200 OK\r\nContent-Length: 300000\r\n\r\n".length);
  });
});
