/** What is done where chokidar, or the kernel, cannot go on. */

import { EventEmitter } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ChokidarOptions } from "chokidar";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FileWatch } from "../../../src/supervisor/file-watch.ts";

/** chokidar, as far as it is used; the test says what it reports. */
class FakeWatcher extends EventEmitter {
  closed = false;
  readonly folders: readonly string[];
  readonly options: ChokidarOptions;

  constructor(folders: readonly string[], options: ChokidarOptions) {
    super();
    this.folders = folders;
    this.options = options;
  }

  async close(): Promise<void> {
    this.closed = true;
    this.removeAllListeners();
  }
}

let dir: string;
let watchers: FakeWatcher[];
let told: string[];
beforeEach(() => {
  vi.useFakeTimers();
  dir = mkdtempSync(join(tmpdir(), "gwpm-watch-"));
  watchers = [];
  told = [];
});
afterEach(() => {
  vi.useRealTimers();
  rmSync(dir, { recursive: true, force: true });
});

function open(since = 0): FileWatch {
  const spec = { paths: [{ base: dir, glob: null }], ignore: [], debounceMs: 100 };
  const clock = { now: () => 1_000, monotonic: () => 0 };
  const watch = ((folders: string[], options: ChokidarOptions) => {
    watchers.push(new FakeWatcher(folders, options));
    return watchers.at(-1);
  }) as never;
  const files = new FileWatch(
    { spec, own: [], clock, watch },
    {
      happened: (path, what) => told.push(`${path.replace(dir, "<dir>")} ${what}`),
      stirred: () => told.push("stirred"),
      settled: () => told.push("settled"),
      warn: (text) => told.push(text),
    },
  );
  files.open(since);
  return files;
}

function failing(code: string): Error {
  return Object.assign(new Error(`${code}: no`), { code });
}

test.each(["ENOSPC", "EMFILE"])("%s: polls instead, and says once what to do", (code) => {
  const files = open();
  expect(watchers[0]!.options.usePolling).toBe(false);
  watchers[0]!.emit("error", failing(code));
  expect(watchers).toHaveLength(2);
  expect(watchers[0]!.closed).toBe(true);
  expect(watchers[1]!.options).toMatchObject({ usePolling: true, interval: 1_000 });
  expect(told).toHaveLength(1);
  expect(told[0]).toMatch(
    new RegExp(`\\(${code}; fs\\.inotify\\.max_user_\\w+ is \\w+\\).*looked at every 1 s.*sysctl -w fs`),
  );
  // What the first was about to look at fails as well: nobody must mind.
  watchers[0]!.emit("error", failing(code));
  watchers[1]!.emit("error", failing(code));
  watchers[1]!.emit("error", failing(code));
  expect(watchers).toHaveLength(2);
  expect(told).toHaveLength(2);
  files.close();
});

test("what changed before it had looked around is reported; what had been there is not", () => {
  const files = open(500);
  watchers[0]!.emit("all", "add", join(dir, "old.js"), { ctimeMs: 400 });
  watchers[0]!.emit("all", "add", join(dir, "just.js"), { ctimeMs: 495 });
  watchers[0]!.emit("ready");
  watchers[0]!.emit("all", "add", join(dir, "moved-here.js"), { ctimeMs: 400 });
  watchers[0]!.emit("all", "unlink", join(dir, "old.js"));
  expect(told).toEqual(["<dir>/just.js changed", "settled", "<dir>/moved-here.js came", "<dir>/old.js went"]);
  files.close();
});

test("a scan that never ends is waited for no longer than 5 s", () => {
  const files = open();
  vi.advanceTimersByTime(4_999);
  expect(files.settled).toBe(false);
  vi.advanceTimersByTime(1);
  expect([files.settled, told]).toEqual([true, ["settled"]]);
  watchers[0]!.emit("ready");
  expect(told).toEqual(["settled"]);
  files.close();
});

test("where nothing is there yet, nothing is waited for", () => {
  rmSync(dir, { recursive: true });
  const files = open();
  vi.advanceTimersByTime(1);
  expect(told).toEqual([
    expect.stringContaining("it is not there; it will be watched once it is"),
    "settled",
  ]);
  files.close();
});

test("a folder that reports its own renaming may have been replaced; a file, or what is in it, not", () => {
  const files = open();
  watchers[0]!.emit("all", "addDir", join(dir, "lib"));
  watchers[0]!.emit("raw", "rename", "a.js", { watchedPath: join(dir, "lib") });
  watchers[0]!.emit("raw", "rename", "a.js", { watchedPath: join(dir, "lib/a.js") });
  watchers[0]!.emit("raw", "change", "a.js~", { watchedPath: join(dir, "lib") });
  expect([files.stale, told.splice(0)]).toEqual([false, ["stirred", "stirred"]]);
  watchers[0]!.emit("raw", "rename", "lib", { watchedPath: join(dir, "lib") });
  expect([files.stale, told]).toEqual([true, ["stirred", "<dir>/lib changed"]]);
  files.close();
  files.open(0);
  expect(files.stale).toBe(false);
  files.close();
});

test("once closed it reports nothing and leaves no timer", () => {
  const files = open();
  files.close();
  watchers[0]!.emit("ready");
  watchers[0]!.emit("all", "change", join(dir, "a.js"));
  rmSync(dir, { recursive: true });
  vi.advanceTimersByTime(10_000);
  expect(told).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});
