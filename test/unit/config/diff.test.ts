/** Which pools a new configuration adds, removes and changes. */

import { afterAll, beforeAll, expect, test } from "vitest";
import { comparePools, fingerprint } from "../../../src/config/diff.ts";
import { Folder, pool } from "./folder.ts";

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
  folder.write("other.mjs", "");
});
afterAll(() => folder.remove());

const only = async (change: Record<string, unknown>) =>
  (await folder.load({ pools: [{ ...pool, ...change }] })).pools[0]!;

test("pools that say the same in other words have the same fingerprint", async () => {
  const plain = fingerprint(await only({}));
  expect(plain).toMatch(/^[\w-]{43}$/);
  const spelled = {
    listen: [{ backlog: 511, address: "unix:./web.sock", mode: "660" }],
    workers: { mode: "static", count: 4 },
    timeouts: { stop: 30_000, start: "30s" },
    watch: false,
  };
  expect(fingerprint(await only(spelled))).toBe(plain);
  expect(fingerprint(await only({ env: { A: "1", B: "2" } }))).toBe(
    fingerprint(await only({ env: { B: "2", A: "1" } })),
  );
});

test.each([
  { script: "other.mjs" },
  { args: ["x"] },
  { listen: "unix:b.sock" },
  { http: ":1" },
  { workers: 3 },
  { env: { A: "1" } },
  { stopSignal: "SIGINT" },
  { wire: { multiplex: false } },
])("%j makes another", async (change) => {
  expect(fingerprint(await only(change))).not.toBe(fingerprint(await only({})));
});

test("each pool is added, removed, changed or unchanged", async () => {
  const p = (name: string, workers = 1) => ({ ...pool, name, listen: ":0", workers });
  const before = await folder.load({ pools: [p("gone"), p("same"), p("grown")] });
  const after = await folder.load({ pools: [p("new"), p("grown", 2), p("same")] });
  expect(comparePools(before, after)).toEqual({
    added: ["new"],
    removed: ["gone"],
    changed: ["grown"],
    unchanged: ["same"],
  });
  expect(comparePools(after, after)).toEqual({
    added: [],
    removed: [],
    changed: [],
    unchanged: ["new", "grown", "same"],
  });
});
