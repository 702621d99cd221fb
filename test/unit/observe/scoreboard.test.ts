import { execFileSync } from "node:child_process";
import { closeSync, mkdtempSync, openSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { percentile } from "../../../src/core/histogram.ts";
import { SCOREBOARD_BYTES, SLOT_BYTES, SLOT_COUNT, SLOTS_AT } from "../../../src/core/scoreboard-layout.ts";
import { createScoreboard, openScoreboard, type ScoreboardReader } from "../../../src/observe/scoreboard.ts";
import { openScoreboard as openForWriting, type Scoreboard } from "../../../src/worker/scoreboard.ts";

let folder: string;
let path: string;
let fd: number;
let reader: ScoreboardReader;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gwpm-scoreboard-"));
  path = join(folder, "web.0.board");
  createScoreboard(path);
  fd = openSync(path, "r+");
  reader = openScoreboard(path);
});

afterEach(() => {
  reader.close();
  closeSync(fd);
  rmSync(folder, { recursive: true });
});

function writer(): Scoreboard {
  const board = openForWriting(fd);
  if (board === undefined) throw new Error("no memory could be shared");
  return board;
}

test("the layout is the one that docs/scoreboard.md promises", () => {
  expect([SLOTS_AT, SLOT_COUNT, SLOT_BYTES, SCOREBOARD_BYTES]).toEqual([896, 128, 256, 33_664]);
});

test("a new board is its owner's alone and says nothing", () => {
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(path).size).toBe(SCOREBOARD_BYTES);
  expect(reader.read()).toBeNull();
});

test("what a worker records is read while it goes on", () => {
  const board = writer();
  board.connectionOpened();
  const first = board.requestStarted("GET", "/slow?x=1");
  const second = board.requestStarted("POST", "/bad");
  expect(reader.read()).toMatchObject({
    pid: process.pid,
    requests: 2,
    active: 2,
    failed: 0,
    connections: 1,
    current: [
      { method: "GET", uri: "/slow?x=1" },
      { method: "POST", uri: "/bad" },
    ],
  });
  board.requestEnded(second, 503, false);
  board.requestEnded(first, 200, true);
  board.connectionClosed();
  const after = reader.read()!;
  expect(after).toMatchObject({ requests: 2, active: 0, failed: 2, connections: 0, current: [] });
  expect(after.latency.counts.reduce((sum, count) => sum + count)).toBe(2);
  expect(percentile(after.latency, 1)).toBe(after.latency.maxMs);
  expect(after.latencySumMs).toBeGreaterThanOrEqual(after.latency.maxMs);
});

test("elapsed time is told by the reader's clock", () => {
  const ahead = openScoreboard(path, () => Date.now() + 60_000);
  writer().requestStarted("GET", "/");
  expect(ahead.read()!.current[0]!.elapsedMs).toBeGreaterThan(59_000);
  ahead.close();
});

test("long methods and URLs are cut", () => {
  writer().requestStarted("M".repeat(100), `/${"u".repeat(5_000)}`);
  const [current] = reader.read()!.current;
  expect(current!.method).toBe("M".repeat(16));
  expect(current!.uri).toBe(`/${"u".repeat(215)}`);
});

test("more requests than slots are counted all the same, and a free slot is used again", () => {
  const board = writer();
  const tokens = Array.from({ length: SLOT_COUNT + 3 }, (_, i) => board.requestStarted("GET", `/${i}`));
  expect(reader.read()).toMatchObject({ active: SLOT_COUNT + 3 });
  expect(reader.read()!.current).toHaveLength(SLOT_COUNT);
  for (const token of tokens) board.requestEnded(token, 200, false);
  const after = reader.read()!;
  expect(after).toMatchObject({ active: 0, current: [] });
  expect(after.latency.counts.reduce((sum, count) => sum + count)).toBe(SLOT_COUNT + 3);
  board.requestStarted("GET", "/again");
  expect(reader.read()!.current).toMatchObject([{ uri: "/again" }]);
});

test("a board outlives the process that wrote it", () => {
  const script = `
    const koffi = require("koffi");
    const mmap = koffi.load(null).func("void *mmap(void *a, size_t l, int p, int f, int fd, int64_t o)");
    const words = new Float64Array(koffi.view(mmap(null, ${SCOREBOARD_BYTES}, 3, 1, 3, 0), ${SCOREBOARD_BYTES}));
    words[1] = 1; words[2] = process.pid; words[5] = 7; words[11] = -1; words[0] = 0x6777706d;
    process.kill(process.pid, "SIGKILL");`;
  expect(() =>
    execFileSync(process.execPath, ["-e", script], {
      stdio: ["ignore", "ignore", "inherit", fd],
      cwd: import.meta.dirname,
    }),
  ).toThrow(expect.objectContaining({ signal: "SIGKILL" }));
  expect(reader.read()).toMatchObject({ requests: 7, eventLoopUtilization: null });
});

test("a closed reader reads nothing", () => {
  reader.close();
  expect(reader.read()).toBeNull();
});
