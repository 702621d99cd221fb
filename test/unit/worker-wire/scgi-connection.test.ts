import { describe, expect, it, vi } from "vitest";
import { encodeHead } from "../../../src/protocol/cgi/response-head.ts";
import type { Exchange } from "../../../src/worker/exchange.ts";
import { scgiRequest } from "./requests.ts";
import { feed, fin, scgi, settle } from "./wire.ts";

const PLAIN = encodeHead(200, undefined, ["Content-Type", "text/plain"]);

function respond(exchange: Exchange, body: string | Buffer = "hello"): void {
  exchange.head(PLAIN);
  exchange.end(body);
}

describe("an SCGI connection", () => {
  it("sends a small response in one write, and ends", async () => {
    const wire = scgi({ handler: respond });
    await feed(wire, scgiRequest());
    expect(wire.socket.written.map(String)).toEqual([`${PLAIN}hello`]);
    expect(wire.socket.finished).toBe(true);
    await fin(wire);
    expect(wire.socket.destroyed).toBe(true);
  });

  it("sends a large response whole", async () => {
    const body = Buffer.alloc(300_000, "0123456789");
    const wire = scgi({ handler: (exchange) => respond(exchange, body) });
    await feed(wire, scgiRequest());
    expect(wire.socket.output.equals(Buffer.concat([Buffer.from(PLAIN), body]))).toBe(true);
  });

  it("hands over the body, and answers a peer that has closed its own side", async () => {
    const chunks: Buffer[] = [];
    const wire = scgi({
      handler(exchange) {
        exchange.takeBody({
          onChunk: (chunk) => chunks.push(chunk) > 0,
          onEnd: () => respond(exchange, Buffer.concat(chunks)),
        });
      },
    });
    await feed(wire, scgiRequest("abc", {}, 6));
    wire.socket.push("def");
    await fin(wire);
    expect(wire.socket.output.toString()).toBe(`${PLAIN}abcdef`);
  });

  it("goes on when the peer closes its side after the request, unless scgiAbortOnFin is set", async () => {
    const patient = scgi();
    await feed(patient, scgiRequest("abc"));
    await fin(patient);
    expect(patient.exchanges[0]!.aborted).toBe(false);

    const impatient = scgi({ wire: { scgiAbortOnFin: true } });
    await feed(impatient, scgiRequest("abc"));
    const onAbort = vi.fn();
    impatient.exchanges[0]!.onAbort = onAbort;
    await fin(impatient);
    expect(onAbort).toHaveBeenCalledOnce();
    expect(impatient.socket.destroyed).toBe(true);
  });

  it("ignores what follows the body", async () => {
    const wire = scgi();
    await feed(wire, Buffer.concat([scgiRequest("abc"), Buffer.from("EXTRA")]), Buffer.from("MORE"));
    const chunks: Buffer[] = [];
    wire.exchanges[0]!.takeBody({ onChunk: (chunk) => chunks.push(chunk) > 0, onEnd() {} });
    expect(Buffer.concat(chunks).toString()).toBe("abc");
  });

  it("answers 400 without REQUEST_METHOD", async () => {
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const wire = scgi();
    await feed(wire, scgiRequest("", { REQUEST_METHOD: "" }));
    expect(wire.socket.output.toString()).toMatch(/^Status: 400 Bad Request\r\n/);
    expect(stderr).toHaveBeenCalledWith(expect.stringContaining("REQUEST_METHOD"));
    stderr.mockRestore();
  });

  it("breaks off without a clean end", async () => {
    const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
    const wire = scgi();
    await feed(wire, scgiRequest());
    const [exchange] = wire.exchanges as [Exchange];
    exchange.head(PLAIN);
    exchange.write("half");
    await settle();
    exchange.fail("test");
    await settle();
    expect(wire.socket.output.toString()).toBe(`${PLAIN}half`);
    expect(wire.socket.destroyed).toBe(true);
    expect(stderr).toHaveBeenCalledWith(expect.stringContaining("broken off: test"));
    stderr.mockRestore();
  });

  it("serves a connection that was accepted before draining began", async () => {
    const wire = scgi({ handler: respond });
    wire.connection.close({ idle: "keep" });
    await feed(wire, scgiRequest());
    expect(wire.socket.output.toString()).toBe(`${PLAIN}hello`);
  });
});
