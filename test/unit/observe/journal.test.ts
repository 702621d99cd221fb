import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { GwpmEvent, JournalEntry } from "../../../src/core/events.ts";
import { Journal } from "../../../src/observe/journal.ts";

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "gwpm-journal-"));
  file = join(dir, "journal.ndjson");
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const recovered = (at: number, pool = "web"): GwpmEvent => ({ type: "pool-recovered", at, pool });
const seqs = (entries: readonly JournalEntry[]) => entries.map(({ seq }) => seq);
const linesIn = (path: string) => readFileSync(path, "utf8").split("\n").slice(0, -1);

describe("in memory", () => {
  test("numbers events and finds them again", () => {
    const journal = new Journal({ file: null });
    for (const at of [100, 200, 300]) journal.append(recovered(at));
    expect(journal.last(2)).toEqual([
      { ...recovered(200), seq: 2 },
      { ...recovered(300), seq: 3 },
    ]);
    expect(seqs(journal.since(200))).toEqual([2, 3]);
    expect(journal.last(0)).toEqual([]);
    expect(seqs(journal.last(99))).toEqual([1, 2, 3]);
  });

  test("keeps the latest and no more", () => {
    const journal = new Journal({ file: null, capacity: 3 });
    for (let at = 1; at <= 100; at++) {
      journal.append(recovered(at));
      expect(seqs(journal.since(0))).toEqual([at - 2, at - 1, at].filter((seq) => seq > 0));
    }
  });

  test("tells followers until they leave", () => {
    const journal = new Journal({ file: null });
    const seen: number[] = [];
    const leave = journal.subscribe(({ seq }) => seen.push(seq));
    journal.append(recovered(1));
    leave();
    journal.append(recovered(2));
    expect(seen).toEqual([1]);
  });

  test("a follower that throws is let go, and harms nobody", () => {
    const warnings: string[] = [];
    const seen: number[] = [];
    const journal = new Journal({ file: null, onWarning: (text) => warnings.push(text) });
    journal.subscribe(() => {
      throw new Error("oh");
    });
    journal.subscribe(({ seq }) => seen.push(seq));
    journal.append(recovered(1));
    journal.append(recovered(2));
    expect(seen).toEqual([1, 2]);
    expect(warnings).toEqual(["A follower of the journal threw and was let go: oh"]);
  });
});

describe("in the file", () => {
  test("is one JSON document a line, for its owner's eyes", async () => {
    const journal = new Journal({ file });
    const entries = [1, 2, 3].map((at) => journal.append(recovered(at)));
    await journal.flush();
    expect(linesIn(file).map((line) => JSON.parse(line))).toEqual(entries);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("an existing file gets the right mode", async () => {
    writeFileSync(file, "", { mode: 0o644 });
    const journal = new Journal({ file });
    journal.append(recovered(1));
    await journal.flush();
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test("is left to another, and what was in memory meanwhile comes after what that has written", async () => {
    const old = new Journal({ file });
    old.append(recovered(1));
    await old.leaveFile();
    old.append(recovered(2));
    expect(linesIn(file)).toHaveLength(1);
    const next = new Journal({ file: null });
    next.append(recovered(3));
    next.openFile(file);
    next.append(recovered(4));
    next.flushSync();
    old.openFile(file);
    old.flushSync();
    expect(seqs(old.since(0))).toEqual([1, 2, 3, 4]);
    expect(old.since(0).map(({ at }) => at)).toEqual([1, 3, 4, 2]);
    expect(linesIn(file)).toHaveLength(4);
  });

  test("a later journal goes on where the earlier one ended", () => {
    const first = new Journal({ file });
    first.append(recovered(1));
    first.append(recovered(2));
    first.flushSync();
    const second = new Journal({ file });
    expect(seqs(second.since(0))).toEqual([1, 2]);
    expect(second.append(recovered(3)).seq).toBe(3);
    second.flushSync();
    expect(seqs(new Journal({ file, capacity: 2 }).since(0))).toEqual([2, 3]);
  });

  test("flushSync writes what a write in flight may not, once for the reader", async () => {
    const journal = new Journal({ file });
    journal.append(recovered(1));
    await Promise.resolve();
    journal.append(recovered(2));
    journal.flushSync();
    expect(seqs(new Journal({ file }).since(0))).toEqual([1, 2]);
    await journal.flush();
    expect(seqs(new Journal({ file }).since(0))).toEqual([1, 2]);
    expect(journal.dropped).toBe(0);
  });

  test("a torn last line is skipped, and the next one starts afresh", async () => {
    const first = new Journal({ file });
    first.append(recovered(1));
    first.flushSync();
    appendFileSync(file, '{"type":"pool-recovered","at":2,"po');
    const second = new Journal({ file });
    expect(seqs(second.since(0))).toEqual([1]);
    second.append(recovered(3));
    await second.flush();
    expect(seqs(new Journal({ file }).since(0))).toEqual([1, 2]);
    expect(linesIn(file)).toHaveLength(3);
  });

  test.each(["null", "[]", "7", '{"seq":"1"}', '{"seq":1.5,"at":1,"type":"x"}', "\0\0\0", "{}"])(
    "the foreign line %j is skipped",
    (line) => {
      writeFileSync(file, `${line}\n`);
      expect(new Journal({ file }).since(0)).toEqual([]);
    },
  );

  test("is set aside once when it is full: both files together stay within their bound", async () => {
    const maxFileBytes = 10_000;
    const journal = new Journal({ file, maxFileBytes });
    for (let at = 1; at <= 500; at++) {
      journal.append(recovered(at));
      await journal.flush();
    }
    const sizes = [file, `${file}.1`].map((path) => statSync(path).size);
    for (const size of sizes) expect(size).toBeLessThan(maxFileBytes + 200);
    expect(existsSync(`${file}.2`)).toBe(false);
    const reread = seqs(new Journal({ file, maxFileBytes }).since(0));
    expect(reread.at(-1)).toBe(500);
    // One whole file and the begun one, without a gap between them.
    expect(reread.length).toBeGreaterThan(maxFileBytes / 100);
    expect(reread).toEqual(reread.map((_, index) => 500 - reread.length + 1 + index));
  });

  test.runIf(existsSync("/dev/full"))(
    "a full disk costs the line on disk, a warning once, and nothing else",
    async () => {
      const warnings: string[] = [];
      const journal = new Journal({ file: "/dev/full", onWarning: (text) => warnings.push(text) });
      journal.append(recovered(1));
      await journal.flush();
      journal.append(recovered(2));
      await journal.flush();
      journal.append(recovered(3));
      journal.flushSync();
      expect(journal.dropped).toBe(3);
      expect(seqs(journal.last(9))).toEqual([1, 2, 3]);
      expect(warnings).toHaveLength(1);
      expect(warnings[0]).toMatch(/Cannot write to the journal \/dev\/full: ENOSPC/);
    },
  );

  test("a folder that is not there is a warning too", async () => {
    const warnings: string[] = [];
    const missing = join(dir, "missing", "journal.ndjson");
    const journal = new Journal({ file: missing, onWarning: (text) => warnings.push(text) });
    journal.append(recovered(1));
    await journal.flush();
    expect(journal.dropped).toBe(1);
    expect(warnings).toHaveLength(1);
  });

  test("what is appended after the last flush is counted as lost", () => {
    const journal = new Journal({ file });
    journal.flushSync();
    journal.append(recovered(1));
    expect(journal.dropped).toBe(1);
    journal.flushSync();
  });
});
