/** The loss tests' bookkeeping must notice each kind of loss. */

import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Ledger, type LedgerReport, type Send } from "../support/ledger.ts";

let folder: string;
let handledFile: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gw-"));
  handledFile = join(folder, "handled");
  writeFileSync(handledFile, "");
});

afterEach(() => rmSync(folder, { recursive: true }));

const handle = (number: number, times = 1): void => appendFileSync(handledFile, `${number}\n`.repeat(times));

async function keepBooks(send: Send): Promise<LedgerReport> {
  const ledger = new Ledger({ send, handledFile, clients: 3 });
  await ledger.answers(20);
  return ledger.stop();
}

test("balanced books have nothing to report", async () => {
  const report = await keepBooks(async (number) => {
    handle(number);
    return number;
  });
  expect(report).toMatchObject({ lost: [], mixedUp: [], miscounted: [] });
  expect(report.answered).toBe(report.sent);
  expect(report.sent).toBeGreaterThanOrEqual(20);
});

test("a request without an answer is lost", async () => {
  const report = await keepBooks(async (number) => {
    if (number === 5) throw new Error("connection reset");
    return number;
  });
  expect(report.lost).toEqual(["5: connection reset"]);
  expect(report.answered).toBe(report.sent - 1);
});

test("another request's answer is noticed", async () => {
  const report = await keepBooks(async (number) => (number === 7 ? 6 : number));
  expect(report.mixedUp).toEqual(["7 got the answer to 6"]);
});

test("a request handled twice, or answered by nobody, is noticed", async () => {
  const report = await keepBooks(async (number) => {
    handle(number, number === 3 ? 2 : number === 4 ? 0 : 1);
    return number;
  });
  expect(report.miscounted.toSorted()).toEqual(["3 was handled 2 times", "4 was handled 0 times"]);
});
