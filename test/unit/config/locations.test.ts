// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files hold such strings
/** Where the supervisor is that a command is meant for. */

import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { defaultRunDir } from "../../../src/config/locations.ts";
import { resolveLocations } from "../../../src/config/resolve-locations.ts";
import { Folder, host } from "./folder.ts";

const root = { ...host, uid: 0 };

test.each<[string, Record<string, string>, typeof host, string]>([
  ["$GWPM_HOME", { GWPM_HOME: "/srv/gwpm", XDG_RUNTIME_DIR: "/run/user/1" }, root, "/srv/gwpm"],
  ["a relative $GWPM_HOME", { GWPM_HOME: "x" }, host, "/cwd/x"],
  ["root", { XDG_RUNTIME_DIR: "/run/user/0" }, root, "/run/gwpm"],
  ["$XDG_RUNTIME_DIR", { XDG_RUNTIME_DIR: "/run/user/1" }, host, "/run/user/1/gwpm"],
  ["a relative $XDG_RUNTIME_DIR", { XDG_RUNTIME_DIR: "x" }, host, "/home/someone/.gwpm/run"],
  ["empty variables", { GWPM_HOME: "", XDG_RUNTIME_DIR: "", HOME: "" }, host, "/home/someone/.gwpm/run"],
  ["$HOME", { HOME: "/home/else" }, host, "/home/else/.gwpm/run"],
])("the default run dir by %s", (_what, variables, machine, expected) => {
  expect(defaultRunDir(variables, machine, "/cwd")).toBe(expected);
});

describe("a command finds its supervisor", () => {
  let folder: Folder;
  beforeEach(() => {
    folder = new Folder();
  });
  afterEach(() => folder.remove());

  const resolve = (file?: string, options = {}) =>
    resolveLocations(file, { host, cwd: folder.path, processEnv: { GWPM_HOME: "/default" }, ...options });

  test("in the default run dir where there is no file", async () => {
    expect(await resolve()).toEqual({
      configFile: null,
      runDir: "/default",
      controlSocket: "/default/control.sock",
    });
    expect(await resolve(undefined, { socket: "s" })).toEqual({
      configFile: null,
      runDir: "/default",
      controlSocket: join(folder.path, "s"),
    });
  });

  test("by the file in the folder, and by -c", async () => {
    const configFile = folder.write("ecosystem.json", '{"runDir": "run"}');
    const found = {
      configFile,
      runDir: join(folder.path, "run"),
      controlSocket: join(folder.path, "run/control.sock"),
    };
    expect(await resolve()).toEqual(found);
    expect(await resolve("./ecosystem.json")).toEqual(found);
    folder.write("ecosystem.json", '{"controlSocket": "${D:-d}/c.sock"}');
    expect(await resolve()).toEqual({
      configFile,
      runDir: "/default",
      controlSocket: join(folder.path, "d/c.sock"),
    });
  });

  test.each([
    ["errors elsewhere", '{"runDir": "run", "pools": [{"name": 5}], "x": "${UNSET}"}'],
    ["broken JSON", '{"runDir": "run", "pools": [ }'],
  ])("in spite of %s", async (_what, text) => {
    folder.write("ecosystem.json", text);
    expect((await resolve()).runDir).toBe(join(folder.path, "run"));
  });

  test("in the default run dir when the broken file mentions no other", async () => {
    folder.write("ecosystem.json", '{"pools": [ }');
    expect((await resolve()).runDir).toBe("/default");
  });

  test("in a module", async () => {
    folder.write("ecosystem.config.mjs", 'export default { runDir: "run" };');
    expect((await resolve()).runDir).toBe(join(folder.path, "run"));
  });

  test.each([
    ["a bad run dir", '{"runDir": 5}', ":1:12: runDir: must be a string, not 5"],
    [
      "an unset variable",
      '{"controlSocket": "${X}"}',
      ":1:19: controlSocket: the environment variable X is not set; set it, or write ${X:-default}",
    ],
    ["no JSON at all", "]", ":1:1: a value is expected here"],
    ["a list", "[]", ": must be an object"],
    [
      "broken JSON that may hide it",
      '{"pools": [ "runDir": "run" }',
      ":1:21: a comma is missing before this",
    ],
  ])("or none, rather than the wrong one: %s", async (_what, text, message) => {
    folder.write("ecosystem.json", text);
    expect((await folder.errorsOf(resolve()))[0]).toBe(message);
  });

  test("or none: no such file, a module that throws", async () => {
    expect(await folder.errorsOf(resolve("nope.json"))).toEqual([": there is no such file"]);
    folder.write("ecosystem.config.mjs", 'throw new Error("x")');
    expect(await folder.errorsOf(resolve())).toEqual([":1:7: running the file failed: Error: x"]);
  });

  test("by --socket, whatever the file is like", async () => {
    folder.write("ecosystem.json", "]");
    expect(await resolve(undefined, { socket: "/a/c.sock" })).toMatchObject({
      runDir: "/a",
      controlSocket: "/a/c.sock",
    });
    folder.write("ecosystem.json", '{"runDir": "/b", "controlSocket": "/b/x"}');
    expect(await resolve(undefined, { socket: "/a/c.sock" })).toMatchObject({
      runDir: "/b",
      controlSocket: "/a/c.sock",
    });
  });
});
