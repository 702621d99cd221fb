/** Bodies that are put aside to be measured. */

import { readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { describe, expect, test } from "vitest";
import { SpoolOverflow, spool } from "../../../src/gateway/spool.ts";

const LIMITS = { memory: 1000, total: 100_000 };
const never = new AbortController().signal;

function source(size: number, chunk = 300): Readable {
  return Readable.from(
    (function* () {
      for (let left = size; left > 0; left -= chunk) yield Buffer.alloc(Math.min(chunk, left), "x");
    })(),
  );
}

async function bytesOf(body: Buffer | Readable): Promise<Buffer> {
  return Buffer.isBuffer(body) ? body : buffer(body);
}

const leftovers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith("gwpm-body-"));

test.for([0, 1, 999, 1000, 1001, 50_000, 100_000])("%i bytes", async (size) => {
  const { length, body } = await spool(source(size), never, () => {}, LIMITS);
  expect(length).toBe(size);
  expect(Buffer.isBuffer(body)).toBe(size <= LIMITS.memory);
  expect((await bytesOf(body)).equals(Buffer.alloc(size, "x"))).toBe(true);
  expect(leftovers()).toEqual([]);
});

test("more than the limit", async () => {
  const body = source(1_000_000);
  await expect(spool(body, never, () => {}, LIMITS)).rejects.toThrow(SpoolOverflow);
  expect(body.destroyed).toBe(false);
});

test("strings count as their bytes", async () => {
  const { length } = await spool(Readable.from(["\u00e9"]), never, () => {}, LIMITS);
  expect(length).toBe(2);
});

describe("a source", () => {
  test("that fails", async () => {
    const body = new Readable({
      read() {
        this.destroy(new Error("disk on fire"));
      },
    });
    await expect(spool(body, never, () => {}, LIMITS)).rejects.toThrow("disk on fire");
  });

  test("that is given up stays as it is", async () => {
    const abort = new AbortController();
    const body = new Readable({ read() {} });
    body.push("some");
    const spooling = spool(body, abort.signal, () => abort.abort(new Error("enough")), LIMITS);
    await expect(spooling).rejects.toThrow("enough");
    expect(body.destroyed).toBe(false);
    expect(body.isPaused()).toBe(true);
  });

  test("that has been given up before is not read", async () => {
    const body = source(10);
    await expect(spool(body, AbortSignal.abort(new Error("never")), () => {}, LIMITS)).rejects.toThrow(
      "never",
    );
    expect(body.readableFlowing).not.toBe(true);
  });
});
