/** `gwpm check`: what it prints where, and what it exits with. */

import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { main } from "../../../src/cli/main.ts";
import { captureIo } from "../cli/captured-io.ts";
import { Folder, pool } from "./folder.ts";

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
});
afterEach(() => folder.remove());

async function check(...argv: string[]) {
  const io = captureIo(folder.path);
  const code = await main(argv, io);
  return { code, out: io.stdout.text, err: io.stderr.text };
}

const good = JSON.stringify({ pools: [{ ...pool, env_x: { A: "1" } }] });
const bad = '{\n  "pools": [],\n  "lgo": 1\n}';

test.each([["check"], ["-t"]])("%s says that a good file is valid", async (verb) => {
  const file = folder.write("ecosystem.json", good);
  expect(await check(verb)).toEqual({ code: 0, out: `configuration file ${file} is valid\n`, err: "" });
});

test("tells every error on a line of its own, which begins with its place", async () => {
  const file = folder.write("my.json", bad);
  expect(await check("check", "-c", "my.json")).toEqual({
    code: 78,
    out: "",
    err:
      `${file}:2:12: pools: is an empty list; there is nothing to run\n` +
      `${file}:3:3: lgo: unknown key "lgo"; did you mean "log"?\n`,
  });
});

test("what the file holds cannot steer the terminal", async () => {
  folder.write(
    "ecosystem.json",
    JSON.stringify({ pools: [{ ...pool, "\u001b[2J\u0007": 1, protocol: "\u001b[2J" }] }),
  );
  const { code, err } = await check("check");
  expect(code).toBe(78);
  expect(err.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
});

test("--json is one document, good or bad", async () => {
  const file = folder.write("ecosystem.json", good);
  const { code, out } = await check("check", "--json");
  expect([code, JSON.parse(out)]).toEqual([0, { valid: true, file, errors: [] }]);

  folder.write("ecosystem.json", bad);
  const failed = await check("check", "--json");
  expect(failed.code).toBe(78);
  expect(failed.err).toBe("");
  expect(JSON.parse(failed.out)).toEqual({
    valid: false,
    file,
    errors: [
      { path: "pools", line: 2, column: 12, message: "is an empty list; there is nothing to run" },
      { path: "lgo", line: 3, column: 3, message: 'unknown key "lgo"; did you mean "log"?' },
    ],
  });
});

test("--print shows the defaults, and the environment that --env chose", async () => {
  folder.write("ecosystem.json", good);
  const printed = JSON.parse((await check("check", "--print", "--env", "x")).out);
  expect(printed).toMatchObject({
    stopTimeout: "30s",
    pools: [
      {
        name: "web",
        script: join(folder.path, "app.mjs"),
        listen: [{ address: `unix:${folder.path}/web.sock`, backlog: 511, mode: "0660" }],
        http: false,
        timeouts: { start: "30s", stop: "30s", idleConnection: false },
        env: { A: "1" },
        wire: { maxParams: "1MB" },
      },
    ],
  });
  const both = JSON.parse((await check("check", "--print", "--json", "--env", "x")).out);
  expect(both).toMatchObject({ valid: true, config: printed });
});

test("without a file it says what to do", async () => {
  expect(await check("check")).toEqual({
    code: 78,
    out: "",
    err:
      `gwpm: there is no ecosystem.json or ecosystem.config.{js,mjs,cjs,ts} in ${folder.path}\n` +
      "Name the file with -c FILE, or write one with `gwpm init`.\n",
  });
});
