/** A connection changes hands only where nothing is under way on it, and never has two readers. */

import { EventEmitter } from "node:events";
import { describe, expect, it } from "vitest";
import { encodeHead } from "../../../src/protocol/cgi/response-head.ts";
import { encodeResponse } from "../../../src/protocol/fastcgi/encode.ts";
import type { Exchange } from "../../../src/worker/exchange.ts";
import { type Channel, Handover } from "../../../src/worker/handover.ts";
import { fastcgiRequest } from "./requests.ts";
import { fastcgi, feed, settle } from "./wire.ts";

const PLAIN = encodeHead(200, undefined, ["Content-Type", "text/plain"]);
const NGINX = { params: { SERVER_SOFTWARE: "nginx/1.22.1" } };
const HAND_OVER = { idle: "hand-over" } as const;

/** `process`, as far as it is a channel. */
class FakeChannel extends EventEmitter implements Channel {
  connected = true;
  readonly sent: { message: unknown; handle: unknown; written: (error: Error | null) => void }[] = [];

  send(message: unknown, handle: unknown, _: undefined, written: (error: Error | null) => void): boolean {
    this.sent.push({ message, handle, written });
    return true;
  }

  die(): void {
    this.connected = false;
    this.emit("disconnect");
  }
}

class FakeHandle {
  reading = true;
  closed = false;
  readStop(): void {
    this.reading = false;
  }
  readStart(): void {
    this.reading = true;
  }
  close(): void {
    this.closed = true;
  }
}

function respond(exchange: Exchange): void {
  exchange.head(PLAIN);
  exchange.end("hello");
}

/** A worker's connection, with a supervisor that does what the test says. */
function setUp({ adopts = true } = {}) {
  const channel = new FakeChannel();
  const handover = new Handover(channel);
  const adopted: unknown[] = [];
  handover.listen(
    () => adopts,
    (handle) => adopted.push(handle),
  );
  const wire = fastcgi({ handover });
  const handle = new FakeHandle();
  Object.assign(wire.socket, { _handle: handle });
  return { channel, wire, handle, adopted };
}

const usual = encodeResponse(1, Buffer.from(`${PLAIN}hello`));
const retiring = encodeResponse(1, Buffer.from(`${PLAIN}hello`), "nginx");

describe("giving away", () => {
  it("an idle connection: at once, unread, and closed here when another worker has it", async () => {
    const { channel, wire, handle } = setUp();
    wire.connection.close(HAND_OVER);
    expect(channel.sent).toMatchObject([{ message: { gwpm: "connection", id: 1 }, handle }]);
    expect(handle.reading).toBe(false);
    expect(wire.socket.destroyed, "nobody has confirmed it yet").toBe(false);
    channel.emit("message", { gwpm: "adopted", id: 1 });
    expect(wire.socket.destroyed).toBe(true);
    expect(wire.socket.finished, "a FIN would end it for its new owner").toBe(false);
  });

  it("a busy one: after its response, which does not retire it", async () => {
    const { channel, wire } = setUp();
    await feed(wire, fastcgiRequest(NGINX));
    wire.connection.close(HAND_OVER);
    expect(channel.sent).toEqual([]);
    respond(wire.exchanges[0]!);
    await settle();
    expect(wire.socket.output).toEqual(usual);
    expect(channel.sent).toHaveLength(1);
  });

  it("not in the middle of a record", async () => {
    const { channel, wire } = setUp();
    const request = fastcgiRequest(NGINX);
    await feed(wire, request.subarray(0, 5));
    wire.connection.close(HAND_OVER);
    expect(channel.sent).toEqual([]);
    await feed(wire, request.subarray(5));
    respond(wire.exchanges[0]!);
    await settle();
    expect(channel.sent).toHaveLength(1);
  });

  it("not before the response has been written", async () => {
    const { channel, wire } = setUp();
    await feed(wire, fastcgiRequest(NGINX));
    wire.connection.close(HAND_OVER);
    wire.socket.accepting = false;
    respond(wire.exchanges[0]!);
    await settle();
    expect(channel.sent).toEqual([]);
    wire.socket.accept();
    await settle();
    wire.connection.onTick(1);
    expect(channel.sent).toHaveLength(1);
  });

  it("not without KEEP_CONN: such a connection ends with its response", async () => {
    const { channel, wire } = setUp();
    await feed(wire, fastcgiRequest({ keep: false }));
    wire.connection.close(HAND_OVER);
    respond(wire.exchanges[0]!);
    await settle();
    expect(channel.sent).toEqual([]);
    expect(wire.socket.finished).toBe(true);
  });

  it("reads on where nobody takes it, and retires it with the next response", async () => {
    const { channel, wire, handle } = setUp();
    wire.connection.close(HAND_OVER);
    channel.emit("message", { gwpm: "declined", id: 1 });
    expect(handle.reading).toBe(true);
    await feed(wire, fastcgiRequest(NGINX));
    respond(wire.exchanges[0]!);
    await settle();
    expect(wire.socket.output).toEqual(retiring);
    expect(wire.socket.finished).toBe(true);
  });

  it("tries again later while it stays idle", () => {
    const { channel, wire } = setUp();
    wire.connection.close(HAND_OVER);
    channel.emit("message", { gwpm: "declined", id: 1 });
    wire.connection.onTick(1);
    expect(channel.sent).toMatchObject([{ message: { id: 1 } }, { message: { id: 2 } }]);
  });

  it("ends an idle one that comes back when there is no successor any more", () => {
    const { channel, wire } = setUp();
    wire.connection.close(HAND_OVER);
    wire.connection.close({ idle: "close" });
    expect(wire.socket.destroyed).toBe(false);
    channel.emit("message", { gwpm: "adopted", id: 1 });
    expect(wire.socket.destroyed).toBe(true);
  });

  it("retires where there is no channel any more", async () => {
    const { channel, wire } = setUp();
    channel.die();
    await feed(wire, fastcgiRequest(NGINX));
    wire.connection.close(HAND_OVER);
    respond(wire.exchanges[0]!);
    await settle();
    expect(wire.socket.output).toEqual(retiring);
  });
});

describe("when the supervisor dies", () => {
  it("a connection that it had may have a new owner, and is let go", () => {
    const { channel, wire, handle } = setUp();
    wire.connection.close(HAND_OVER);
    channel.sent[0]!.written(null);
    channel.die();
    expect(handle.reading).toBe(false);
    expect(wire.socket.destroyed).toBe(true);
  });

  it("is noticed although Node does not tell", () => {
    const { channel, wire, handle } = setUp();
    wire.connection.close(HAND_OVER);
    channel.connected = false;
    wire.connection.onTick(1);
    expect(handle.reading).toBe(true);
  });

  it.each(["waited to be sent", "could not be sent"])("one that %s is still ours", (which) => {
    const { channel, wire, handle } = setUp();
    wire.connection.close(HAND_OVER);
    if (which === "could not be sent") channel.sent[0]!.written(new Error("closed"));
    channel.die();
    expect(handle.reading).toBe(true);
    expect(wire.socket.destroyed).toBe(false);
  });
});

describe("adopting", () => {
  it("reads only once the answer is on its way", () => {
    const { channel, adopted } = setUp();
    const theirs = new FakeHandle();
    channel.emit("message", { gwpm: "connection", id: 9 }, theirs);
    expect(channel.sent).toMatchObject([{ message: { gwpm: "adopted", id: 9 } }]);
    expect(adopted).toEqual([]);
    channel.sent[0]!.written(null);
    expect(adopted).toEqual([theirs]);
  });

  it("declines while it drains itself, and closes its copy", () => {
    const { channel, adopted } = setUp({ adopts: false });
    const theirs = new FakeHandle();
    channel.emit("message", { gwpm: "connection", id: 9 }, theirs);
    expect(channel.sent).toMatchObject([{ message: { gwpm: "declined", id: 9 } }]);
    channel.sent[0]!.written(null);
    expect([adopted, theirs.closed]).toEqual([[], true]);
  });
});
