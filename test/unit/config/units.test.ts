/** Durations, sizes and file modes, and what is said about those that are none. */

import { describe, expect, test } from "vitest";
import {
  formatDuration,
  formatMode,
  formatSize,
  parseDuration,
  parseMode,
  parseSize,
  show,
} from "../../../src/config/units.ts";

describe("durations", () => {
  test.each([
    ["500ms", 500],
    ["10s", 10_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["0s", 0],
    ["007s", 7_000],
    [1500, 1500],
    [0, 0],
    [2 ** 31 - 1, 2 ** 31 - 1],
  ])("%j is %i ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    ["10 s", '"10 s" is not a duration; write "10s"'],
    [" 10s", '" 10s" is not a duration; write "10s"'],
    ["10sec", '"10sec" is not a duration; write "10s"'],
    ["5 minutes", '"5 minutes" is not a duration; write "5m"'],
    ["2H", '"2H" is not a duration; write "2h"'],
    ["100MS", '"100MS" is not a duration; write "100ms"'],
    ["10", '"10" has no unit; write "500ms", "10s", "5m" or "1h", such as "10s"'],
    ["1.5s", '"1.5s" is not a duration; write "500ms", "10s", "5m" or "1h"'],
    ["-1s", '"-1s" is not a duration; write "500ms", "10s", "5m" or "1h"'],
    ["1h30m", '"1h30m" is not a duration; write "500ms", "10s", "5m" or "1h"'],
    ["3constructor", '"3constructor" is not a duration; write "500ms", "10s", "5m" or "1h"'],
    ["", '"" is not a duration; write "500ms", "10s", "5m" or "1h"'],
    [true, 'true is not a duration; write "500ms", "10s", "5m" or "1h"'],
    [-1, "-1 is not a whole number of milliseconds, 0 or more"],
    [0.5, "0.5 is not a whole number of milliseconds, 0 or more"],
    [Number.NaN, "NaN is not a whole number of milliseconds, 0 or more"],
    ["600h", '"600h" is longer than 24 days, the longest timer'],
    [2 ** 31, "2147483648 is longer than 24 days, the longest timer"],
  ])("%j is refused", (text, message) => {
    expect(() => parseDuration(text)).toThrow(new RangeError(message));
  });

  test.each([
    [0, "0ms"],
    [1, "1ms"],
    [1500, "1500ms"],
    [30_000, "30s"],
    [90_000, "90s"],
    [60_000, "1m"],
    [7_200_000, "2h"],
  ])("%i ms is written %s", (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
    expect(parseDuration(text)).toBe(ms);
  });
});

describe("sizes", () => {
  test.each([
    ["1B", 1],
    ["64KB", 65_536],
    ["256MB", 268_435_456],
    ["1GB", 1_073_741_824],
    [4096, 4096],
  ])("%j is %i bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    ["64kb", '"64kb" is not a size; write "64KB"'],
    ["200M", '"200M" is not a size; write "200MB"'],
    ["1GiB", '"1GiB" is not a size; write "1GB"'],
    ["12 bytes", '"12 bytes" is not a size; write "12B"'],
    ["64", '"64" has no unit; write "64KB", "256MB" or "1GB", such as "256MB"'],
    ["lots", '"lots" is not a size; write "64KB", "256MB" or "1GB"'],
    [null, 'null is not a size; write "64KB", "256MB" or "1GB"'],
    [-1, "-1 is not a whole number of bytes, 0 or more"],
    ["9999999999GB", '"9999999999GB" is not a whole number of bytes, 0 or more'],
  ])("%j is refused", (text, message) => {
    expect(() => parseSize(text)).toThrow(new RangeError(message));
  });

  test.each([
    [1000, "1000B"],
    [65_536, "64KB"],
    [1_048_576, "1MB"],
    [3_221_225_472, "3GB"],
  ])("%i bytes are written %s", (bytes, text) => {
    expect(formatSize(bytes)).toBe(text);
    expect(parseSize(text)).toBe(bytes);
  });
});

describe("file modes", () => {
  test.each([
    ["0660", 0o660],
    ["666", 0o666],
    ["0000", 0],
  ])("%j", (text, mode) => {
    expect(parseMode(text)).toBe(mode);
    expect(parseMode(formatMode(mode))).toBe(mode);
  });

  test.each([
    [660, '660 is a decimal number; write three octal digits in a string, such as "0660"'],
    ["0999", '"0999" is not a file mode; write three octal digits in a string, such as "0660"'],
    ["rw-rw----", '"rw-rw----" is not a file mode; write three octal digits in a string, such as "0660"'],
    ["1777", '"1777" is not a file mode; write three octal digits in a string, such as "0660"'],
    [{}, 'an object is not a file mode; write three octal digits in a string, such as "0660"'],
  ])("%j is refused", (text, message) => {
    expect(() => parseMode(text)).toThrow(new RangeError(message));
  });
});

test("a long or strange value is quoted in short", () => {
  expect(show("x".repeat(100))).toBe(`"${"x".repeat(80)}…"`);
  expect(show("a\nb")).toBe('"a\\nb"');
  expect([[], {}, null, undefined, () => 1, 1n, Symbol("s")].map(show)).toEqual([
    "a list",
    "an object",
    "null",
    "nothing",
    "a function",
    "a bigint",
    "a symbol",
  ]);
});
