/** Holds ARCHITECTURE.md's rule of who may import whom, and that core/ decides without looking at the world. */

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { describe, expect, test } from "vitest";

const ROOT = resolve(import.meta.dirname, "../..");

/** What each part may import, beside itself: path prefixes from the root. A part that is missing here fails the test. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "src/core": [],
  "src/protocol": [],
  "src/worker": [
    ...[
      "src/protocol",
      "src/core/address",
      "src/core/histogram",
      "src/core/scoreboard-layout",
      "src/control/messages",
    ],
  ],
  "src/gateway": ["src/protocol", "src/core/address", "src/control/messages"],
  "src/observe": ["src/core"],
  "src/config": ["src/core"],
  "src/control": ["src/core"],
  "src/system": ["src/core/address"],
  "src/runtimes": ["src/config/types", "src/control/messages", "src/core", "src/gateway", "src/system"],
  "src/supervisor": [
    ...["src/core", "src/config", "src/observe", "src/control", "src/runtimes", "src/system", "src/gateway"],
  ],
  "src/cli": ["src/control", "src/config", "src/core", "src/gateway", "ui"],
  ui: ["src/control", "src/config", "src/core", "src/gateway"],
  "src/index.ts": ["src/worker", "src/protocol", "src/control/messages"],
  bin: ["src/cli"],
};

/** The verbs that become the supervisor, and may reach it for that. */
const SUPERVISOR_VERBS = /^src\/cli\/(start|run|foreground)\.ts$/;

const SOURCES = ["src", "ui", "bin"]
  .filter((folder) => existsSync(join(ROOT, folder)))
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".ts"))
      .map((name) => join(folder, name)),
  );

describe("imports", () => {
  test("go in the direction that the layers allow", () => {
    const offences = SOURCES.flatMap((file) =>
      importsOf(file)
        .filter((target) => target.startsWith(".") && !mayImport(file, fromRoot(file, target)))
        .map((target) => `${file} imports ${fromRoot(file, target)}`),
    );
    expect(offences).toEqual([]);
  });

  test.each([
    ["core", /^(?!\.)/],
    ["protocol", /^(?!\.|node:)|^node:(net|fs|child_process)/],
  ])("of %s/ name no package and nothing that touches the world", (part, outside) => {
    const offences = SOURCES.filter((file) => file.startsWith(`src/${part}/`)).flatMap((file) =>
      importsOf(file)
        .filter((target) => outside.test(target))
        .map((target) => `${file} imports ${target}`),
    );
    expect(offences).toEqual([]);
  });
});

test("core/ has no clock, no timers and no randomness of its own", () => {
  const impure =
    /\b(Date\.now|new Date\(\)|performance\.|Math\.random|setTimeout|setInterval|setImmediate|process\.)/;
  const offences = SOURCES.filter(
    (file) => file.startsWith("src/core/") && file !== "src/core/clock.ts",
  ).flatMap((file) =>
    withoutComments(read(file))
      .split("\n")
      .filter((line) => impure.test(line))
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(offences).toEqual([]);
});

test("the rules recognise an offence", () => {
  expect(mayImport("src/core/worker.ts", "src/system/libc.ts")).toBe(false);
  expect(mayImport("src/worker/serve.ts", "src/control/server.ts")).toBe(false);
  expect(mayImport("src/cli/status.ts", "src/supervisor/supervisor.ts")).toBe(false);
  expect(mayImport("src/cli/start.ts", "src/supervisor/supervisor.ts")).toBe(true);
  expect(SOURCES.length).toBeGreaterThan(50);
});

function mayImport(file: string, target: string): boolean {
  if (SUPERVISOR_VERBS.test(file) && within(target, "src/supervisor")) return true;
  const part = Object.keys(MAY_IMPORT).find((name) => within(file, name));
  return part !== undefined && [part, ...MAY_IMPORT[part]!].some((allowed) => within(target, allowed));
}

/** `src/control/messages` covers `src/control/messages.ts`; `src/core` covers all in the folder. */
function within(file: string, prefix: string): boolean {
  return file === prefix || file === `${prefix}.ts` || file.startsWith(`${prefix}/`);
}

function fromRoot(file: string, target: string): string {
  return relative(ROOT, resolve(ROOT, dirname(file), target));
}

function importsOf(file: string): string[] {
  const specifier = /(?:\bfrom|\bimport|\bimport\()\s*["']([^"'\s]+)["']/g;
  return [...withoutComments(read(file)).matchAll(specifier)].map((match) => match[1]!);
}

/** Roughly: enough for a doc comment's example not to count as an import. */
function withoutComments(source: string): string {
  return source.replaceAll(/\/\*[\s\S]*?\*\//g, "").replaceAll(/^\s*\/\/.*$/gm, "");
}

function read(file: string): string {
  return readFileSync(join(ROOT, file), "utf8");
}
