/** A server that does exactly what a test tells it, on a Unix socket in a sandbox; and FastCGI bytes made by hand, not by our own encoder. */

import { once } from "node:events";
import { createServer, type Socket } from "node:net";
import type { Address } from "../../../src/core/address.ts";
import type { Sandbox } from "../../support/sandbox.ts";
import { within } from "../../support/wait.ts";

/** One connection as the fake sees it. */
export class Peer {
  readonly socket: Socket;
  /** Everything received so far. */
  received = Buffer.alloc(0);
  /** Resolves when the client has closed or reset the connection. */
  readonly gone: Promise<void>;

  constructor(socket: Socket) {
    this.socket = socket;
    socket.on("data", (chunk: Buffer) => {
      this.received = Buffer.concat([this.received, chunk]);
    });
    socket.on("error", () => {}); // The client may reset; `gone` tells.
    this.gone = new Promise((resolve) => {
      socket.once("end", resolve).once("close", resolve);
    });
  }

  /** Resolves once what was received satisfies the test. */
  async until(test: (received: Buffer) => boolean, what: string): Promise<Buffer> {
    while (!test(this.received)) {
      await within(once(this.socket, "data"), { what }, () => this.received.toString("latin1"));
    }
    return this.received;
  }

  /** Resolves when a whole FastCGI request has come: an empty STDIN record ends it. */
  request(count = 1): Promise<Buffer> {
    return this.until(
      (bytes) =>
        records(bytes).filter(({ type, content }) => type === 5 && content.length === 0).length >= count,
      `FastCGI request ${count}`,
    );
  }

  /** One write for each byte, each in a turn of its own. */
  async drip(bytes: Buffer): Promise<void> {
    for (const byte of bytes) {
      if (this.socket.destroyed) return;
      await new Promise((resolve) => this.socket.write(Buffer.of(byte), resolve));
    }
  }
}

export interface FakeUpstream {
  readonly address: Address;
  /** Connections accepted so far. */
  readonly peers: Peer[];
}

/** @param serve called for each connection; `index` counts them from 0. What it throws fails the test */
export async function fakeUpstream(
  sandbox: Sandbox,
  serve: (peer: Peer, index: number) => unknown,
): Promise<FakeUpstream> {
  const path = sandbox.path("up.sock");
  const peers: Peer[] = [];
  const failures: unknown[] = [];
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    const peer = new Peer(socket);
    peers.push(peer);
    try {
      await serve(peer, peers.length - 1);
    } catch (error) {
      // That the client hangs up, as many tests have it do, is no failure of ours.
      if (!["EPIPE", "ECONNRESET"].includes((error as NodeJS.ErrnoException).code ?? ""))
        failures.push(error);
    }
  }).listen(path);
  await once(server, "listening");
  sandbox.defer(async () => {
    for (const { socket } of peers) socket.destroy();
    server.close();
    await once(server, "close");
    if (failures.length > 0)
      throw new AggregateError(failures, `The fake upstream failed: ${failures.join("; ")}`);
  });
  return { address: { kind: "unix", path }, peers };
}

/** One FastCGI record, spelled out from the specification (3.3). */
export function record(type: number, content: Buffer | string = "", { id = 1, padding = 0 } = {}): Buffer {
  const bytes = Buffer.from(content as string, "latin1");
  const header = Buffer.from([1, type, id >> 8, id & 255, bytes.length >> 8, bytes.length & 255, padding, 0]);
  return Buffer.concat([header, bytes, Buffer.alloc(padding, 0xee)]);
}

export const BEGIN = 1;
export const END = 3;
export const PARAMS = 4;
export const STDIN = 5;
export const STDOUT = 6;
export const STDERR = 7;

/** STDOUT, its end, and END_REQUEST: a whole response. */
export function answer(cgi: Buffer | string, protocolStatus = 0): Buffer {
  return Buffer.concat([record(STDOUT, cgi), record(STDOUT), endRequest(protocolStatus)]);
}

export function endRequest(protocolStatus = 0): Buffer {
  return record(END, Buffer.from([0, 0, 0, 0, protocolStatus, 0, 0, 0]));
}

export const HELLO = answer("Status: 200 OK\r\nContent-Type: text/plain\r\n\r\nhello");

export interface SeenRecord {
  readonly type: number;
  readonly id: number;
  readonly content: Buffer;
}

/** The complete records at the beginning of some bytes. */
export function records(bytes: Buffer): SeenRecord[] {
  const seen: SeenRecord[] = [];
  for (let at = 0; at + 8 <= bytes.length; ) {
    const length = bytes.readUInt16BE(at + 4);
    const end = at + 8 + length + bytes[at + 6]!;
    if (end > bytes.length) break;
    seen.push({
      type: bytes[at + 1]!,
      id: bytes.readUInt16BE(at + 2),
      content: bytes.subarray(at + 8, at + 8 + length),
    });
    at = end;
  }
  return seen;
}

/** The contents of one stream, joined. */
export function stream(bytes: Buffer, type: number): Buffer {
  return Buffer.concat(
    records(bytes)
      .filter((r) => r.type === type)
      .map(({ content }) => content),
  );
}

/** The variables that a FastCGI request carries; lengths of four bytes included (specification, 3.4). */
export function variables(bytes: Buffer): Record<string, string> {
  const block = stream(bytes, PARAMS);
  const found: Record<string, string> = {};
  let at = 0;
  const length = (): number => {
    const first = block[at]!;
    at += first < 128 ? 1 : 4;
    return first < 128 ? first : block.readUInt32BE(at - 4) & 0x7fffffff;
  };
  while (at < block.length) {
    const [name, value] = [length(), length()];
    found[block.toString("latin1", at, at + name)] = block.toString("latin1", at + name, at + name + value);
    at += name + value;
  }
  return found;
}
