import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { mentionsGwpm } from "../../../src/worker/mentions-gwpm.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "gwpm-mentions-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

/** @returns the answer for the first file */
function mentions(files: Readonly<Record<string, string>>): boolean {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return mentionsGwpm(join(folder, Object.keys(files)[0]!));
}

test.each([
  ["the script itself", { "a.mjs": 'import { serve } from "gwpm";' }],
  ["a file that it imports", { "a.mjs": 'import x from "./b.mjs"', "b.mjs": 'import "gwpm"' }],
  ["a file that it imports later", { "a.mjs": "await import('./b.mjs')", "b.mjs": 'import "gwpm"' }],
  ["a file that it exports from", { "a.mjs": 'export * from "./l/b.mjs"', "l/b.mjs": 'import "gwpm"' }],
  ["a file above", { "l/a.mjs": 'import "../b.mjs"', "b.mjs": 'import "gwpm"' }],
  ["a file that require() completes", { "a.cjs": 'require("./b")', "b.js": 'require("gwpm")' }],
  ["a folder's index", { "a.cjs": 'require( "./l" )', "l/index.js": 'require("gwpm")' }],
])("%s", (_where, files) => {
  expect(mentions(files)).toBe(true);
});

test("files that import each other, and some that are missing, are no trouble", () => {
  expect(mentions({ "a.mjs": 'import "./b.mjs"; import "./none.mjs"', "b.mjs": 'import "./a.mjs"' })).toBe(
    false,
  );
});

test("a missing script does not speak of it", () => {
  expect(mentionsGwpm(join(folder, "none.mjs"))).toBe(false);
});
