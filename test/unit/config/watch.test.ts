// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files hold such strings
/** What `watch` may say, and what it comes to. */

import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { joinGlob, splitGlob } from "../../../src/config/glob.ts";
import { toConfigObject } from "../../../src/config/print.ts";
import { Folder, pool } from "./folder.ts";

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
  folder.write("elsewhere/app.mjs", "");
  folder.write("work [1]/x", "");
});
afterAll(() => folder.remove());

const only = async (change: Record<string, unknown>) =>
  (await folder.load({ pools: [{ ...pool, ...change }] })).pools[0]!;
const here = (path: string, glob: string | null = null) => ({ base: join(folder.path, path), glob });

describe("splitGlob()", () => {
  test.each([
    ["src", "/app/src", null],
    ["./src/", "/app/src", null],
    ["../lib", "/lib", null],
    [".", "/app", null],
    ["/", "/", null],
    ["*.js", "/app", "*.js"],
    ["src/**/*.{js,ts}", "/app/src", "**/*.{js,ts}"],
    ["/etc/*.conf", "/etc", "*.conf"],
    ["/*.conf", "/", "*.conf"],
    ["pages/\\[slug\\]/a", "/app/pages/[slug]/a", null],
    ["\\(x\\)/[ab]", "/app/(x)", "[ab]"],
  ])("%s", (pattern, base, glob) => {
    expect(splitGlob(pattern, "/app")).toEqual({ base, glob });
    expect(splitGlob(joinGlob({ base, glob }), "/elsewhere")).toEqual({ base, glob });
  });
});

test.each([[false], [null], ["off"], [[]], ["${NO:-false}"]])("%j is off", async (watch) => {
  expect((await only({ watch })).watch).toBeNull();
});

test("`true` watches the pool's cwd", async () => {
  const watch = { paths: [here("")], ignore: [], debounceMs: 100 };
  expect((await only({ watch: true })).watch).toEqual(watch);
  expect((await only({ watch: {} })).watch).toEqual(watch);
  expect((await only({ watch: true, cwd: "work [1]", script: "work [1]/x" })).watch?.paths).toEqual([
    here("work [1]"),
  ]);
});

test("and the script's folder, where that lies elsewhere", async () => {
  const pool = await only({ watch: true, cwd: "work [1]", script: "elsewhere/app.mjs" });
  expect(pool.watch?.paths).toEqual([here("work [1]"), here("elsewhere")]);
});

test("globs start at the config file's folder, and so do patterns to ignore that have a slash", async () => {
  const watch = { paths: ["src/**/*.js", "app.mjs"], ignore: ["*.log", "tmp/", "./src/gen"], debounce: "1s" };
  const spec = {
    paths: [here("src", "**/*.js"), here("app.mjs")],
    ignore: [{ base: null, glob: "*.log" }, { base: null, glob: "tmp" }, here("src/gen")],
    debounceMs: 1_000,
  };
  expect((await only({ watch, cwd: "elsewhere" })).watch).toEqual(spec);
  expect((await only({ watch: watch.paths })).watch?.paths).toEqual(spec.paths);
});

test("what `check --print` shows reads back as the same", async () => {
  const watch = { paths: ["src/**/*.js", "\\[x\\]"], ignore: ["*.log", "./src/*/gen"], debounce: 0 };
  for (const change of [{ watch }, { watch: true, cwd: "work [1]" }, { watch: false }]) {
    const config = await folder.load({ pools: [{ ...pool, ...change }] });
    expect((await folder.load(toConfigObject(config))).pools).toEqual(config.pools);
  }
});
