/** Which files count, on a real disk. */

import {
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { WatchIgnore, WatchSpec } from "../../../src/config/types.ts";
import { WatchFilter } from "../../../src/supervisor/watch-filter.ts";

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "gwpm-watch-")));
});
afterEach(() => rmSync(dir, { recursive: true }));

const at = (name: string) => join(dir, name);
function write(name: string): string {
  mkdirSync(dirname(at(name)), { recursive: true });
  writeFileSync(at(name), "");
  return at(name);
}

/** `src/*.js` → the folder `src` and the glob `*.js`. */
function filter(
  paths: readonly [string, string | null][],
  ignore: readonly WatchIgnore[] = [],
  own: string[] = [],
) {
  const spec: WatchSpec = {
    paths: paths.map(([base, glob]) => ({ base: at(base), glob })),
    ignore,
    debounceMs: 0,
  };
  return new WatchFilter(spec, own);
}

describe("counts()", () => {
  test.each([
    ["app.js", true],
    ["lib/deep/a.css", true],
    [".env", true],
    ["node_modules/a/index.js", false],
    ["lib/node_modules/a.js", false],
    [".git/HEAD", false],
    [".gitignore", true],
    ["lib/.a.js.swp", false],
    ["lib/a.js~", false],
    ["#a.js#", false],
    ["../elsewhere.js", false],
  ])("of all in a folder: %s", (name, counts) => {
    expect(filter([["", null]]).counts(at(name))).toBe(counts);
  });

  test("a folder that is watched by its name counts, whatever it is called", () => {
    write("node_modules/own/a.js");
    const own = filter([["node_modules/own", null]]);
    expect(own.counts(at("node_modules/own/a.js"))).toBe(true);
    expect(own.counts(at("node_modules/own/node_modules/b.js"))).toBe(false);
    expect(own.counts(at("node_modules/other/a.js"))).toBe(false);
  });

  test("a glob means what it matches below its folder", () => {
    write("src/a.js");
    const globs = filter([["src", "**/*.{js,ts}"]]);
    expect(["src/a.js", "src/x/y.ts", "src/.z.js"].filter((name) => globs.counts(at(name)))).toHaveLength(3);
    expect(["src/a.css", "a.js", "srcs/a.js"].filter((name) => globs.counts(at(name)))).toEqual([]);
  });

  test("a file means itself", () => {
    write("app.js");
    const file = filter([["app.js", null]]);
    expect(file.folders).toEqual([dir]);
    expect(file.counts(at("app.js"))).toBe(true);
    expect(file.counts(at("app.js.tmp"))).toBe(false);
    expect(file.counts(at("other/app.js"))).toBe(false);
  });

  test("what is ignored takes along all that is in it", () => {
    const ignore = [
      { base: null, glob: "*.log" },
      { base: null, glob: "tmp" },
      { base: at("data"), glob: null },
      { base: at("src"), glob: "*/gen" },
    ];
    const ignoring = filter([["", null]], ignore, [at("run"), at("gwpm.log")]);
    const ignored = [
      "a.log",
      "x/y.log",
      "x/tmp/a.js",
      "data/x/y",
      "src/a/gen/x.js",
      "run/io/1",
      "gwpm.log.1",
    ];
    expect(ignored.filter((name) => ignoring.counts(at(name)))).toEqual([]);
    const counted = ["tmp.js", "database", "src/gen/x.js", "src/a/general.js", "run.js", "running/a.js"];
    expect(counted.filter((name) => !ignoring.counts(at(name)))).toEqual([]);
  });
});

test("skips() leaves out whole folders, what is no file, and links to folders", () => {
  const all = filter([["", null]]);
  const skips = (name: string) => all.skips(at(name), statSync(at(name)));
  write("lib/a.js");
  write("node_modules/a/a.js");
  expect([skips("lib"), skips("lib/a.js"), skips("node_modules")]).toEqual([false, false, true]);
  expect(all.skips(at("lib/new.js")), "not known yet what it is").toBe(false);
  const link = (name: string, target: string) => {
    symlinkSync(target, at(name));
    return all.skips(at(name), {
      isDirectory: () => false,
      isFile: () => false,
      isSymbolicLink: () => true,
    } as never);
  };
  expect(link("to-file", "lib/a.js")).toBe(false);
  expect(link("to-folder", "lib")).toBe(true);
  expect(link("to-itself", ".")).toBe(true);
  expect(link("to-nothing", "nothing")).toBe(true);
});

describe("outdated()", () => {
  test("names what was not there and has come", () => {
    const later = filter([["later", null]]);
    expect(later.missing).toEqual([{ base: at("later"), glob: null }]);
    expect([later.folders, later.outdated()]).toEqual([[], undefined]);
    write("later/a.js");
    expect(later.outdated()).toBe(at("later"));
  });

  test("names what has gone, and a link that leads elsewhere now", () => {
    write("releases/1/a.js");
    write("releases/2/a.js");
    symlinkSync("releases/1", at("current"));
    const current = filter([["current", null]]);
    expect(current.outdated()).toBeUndefined();
    symlinkSync("releases/2", at("next"));
    renameSync(at("next"), at("current"));
    expect(current.outdated()).toBe(at("current"));
    unlinkSync(at("current"));
    expect(current.outdated()).toBe(at("current"));
  });
});
