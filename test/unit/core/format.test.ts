import { expect, test } from "vitest";
import {
  humanBytes,
  humanCount,
  humanDuration,
  humanRate,
  humanTime,
  plural,
} from "../../../src/core/format.ts";

test.each([
  [null, "-"],
  [0, "0 ms"],
  [0.4, "0 ms"],
  [999.4, "999 ms"],
  [999.6, "1.0 s"],
  [9_940, "9.9 s"],
  [9_960, "10 s"],
  [59_499, "59 s"],
  [59_600, "1 m"],
  [250_000, "4 m 10 s"],
  [3_599_600, "1 h"],
  [11_040_000, "3 h 4 m"],
  [86_400_000, "1 d"],
  [183_600_000, "2 d 3 h"],
])("humanDuration(%j) is %s", (ms, expected) => {
  expect(humanDuration(ms)).toBe(expected);
});

test.each([
  [null, "-"],
  [0, "0 B"],
  [1023, "1023 B"],
  [1024, "1.0 KB"],
  [10_240, "10 KB"],
  [1024 * 1024 - 1, "1.0 MB"],
  [54 * 1024 ** 2, "54 MB"],
  [1.25 * 1024 ** 3, "1.3 GB"],
  [3_000 * 1024 ** 4, "3000 TB"],
])("humanBytes(%j) is %s", (bytes, expected) => {
  expect(humanBytes(bytes)).toBe(expected);
});

test("counts, rates and nouns", () => {
  expect([null, 0, 999, 1_000, 1_234_567].map(humanCount)).toEqual(["-", "0", "999", "1,000", "1,234,567"]);
  expect([null, 0, 0.04, 0.44, 9.96, 1_234.5].map(humanRate)).toEqual([
    "-",
    "0",
    "0.0",
    "0.4",
    "10",
    "1,235",
  ]);
  expect([0, 1, 2].map((count) => plural(count, "worker"))).toEqual(["0 workers", "1 worker", "2 workers"]);
});

test("a time tells its day only when that is another one", () => {
  const noon = new Date(2026, 0, 31, 12, 4, 5, 67).getTime();
  expect(humanTime(noon, noon + 3_600_000)).toBe("12:04:05.067");
  expect(humanTime(noon, noon + 86_400_000)).toBe("2026-01-31 12:04:05.067");
  expect(humanTime(Number.NaN, noon)).toBe("-");
});
