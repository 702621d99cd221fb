/** `gwpm completion` and `gwpm version`. */

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { fishCompletion, zshCompletion } from "../../../src/cli/completion-scripts.ts";
import { main } from "../../../src/cli/main.ts";
import { captureIo } from "../cli/captured-io.ts";

async function run(...argv: string[]) {
  const io = captureIo("/");
  const code = await main(argv, io);
  return { code, out: io.stdout.text, err: io.stderr.text };
}

/** What bash offers for a command line; the last word is being typed. */
async function complete(...words: string[]): Promise<string[]> {
  const script = (await run("completion", "bash")).out;
  const question = `${script}
    COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _gwpm
    printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, stderr, status } = spawnSync("bash", ["-c", question, "bash", ...words], {
    encoding: "utf8",
  });
  expect([stderr, status]).toEqual(["", 0]);
  return stdout.split("\n").filter((line) => line !== "");
}

test.each<[string[], string[]]>([
  [
    ["gwpm", "re"],
    ["reload", "restart", "recycle", "resume", "request"],
  ],
  [
    ["gwpm", "-c", "x.json", "sta"],
    ["start", "status"],
  ],
  [["gwpm", "check", "--p"], ["--print"]],
  [["gwpm", "--socket", "s", "check", "--j"], ["--json"]],
  [["gwpm", "start", "--e"], ["--env"]],
  [["gwpm", "run", "exam"], []],
])("bash: %j → %j", async (words, offers) => {
  expect(await complete(...words)).toEqual(offers);
});

test("verbs that are not there yet are not offered", async () => {
  expect(await complete("gwpm", "gen")).toEqual([]);
});

const verbs = [
  {
    name: "scale",
    summary: "a pool's size: more, or less",
    flags: [
      { names: ["-n", "--number"], takesValue: true, doc: "how many [of it]" },
      { names: ["--now"], takesValue: false, doc: "don't wait" },
    ],
  },
];

test("zsh: quotes, brackets and colons are marked", () => {
  const script = zshCompletion(verbs);
  expect(script).toMatch(/^#compdef gwpm\n/);
  expect(script).toContain(`    'scale:a pool'\\''s size: more, or less'\n`);
  expect(script).toContain(
    `    scale) flags=('-n[how many \\[of it\\]]:value:_files' '--number[how many \\[of it\\]]:value:_files' '--now[don'\\''t wait]') ;;`,
  );
});

test("fish: a line for each verb and each flag", () => {
  expect(fishCompletion(verbs)).toBe(`# fish completion for gwpm
complete -c gwpm -n __fish_use_subcommand -f -a scale -d 'a pool\\'s size: more, or less'
complete -c gwpm -n '__fish_seen_subcommand_from scale' -s n -l number -r -d 'how many [of it]'
complete -c gwpm -n '__fish_seen_subcommand_from scale' -l now -d 'don\\'t wait'
`);
});

test("every shell has every verb", async () => {
  for (const shell of ["bash", "zsh", "fish"]) {
    const { code, out } = await run("completion", shell);
    expect(code).toBe(0);
    for (const verb of ["run", "start", "check", "completion"]) expect(out).toContain(verb);
  }
});

test("no other shell has", async () => {
  expect(await run("completion", "tcsh")).toEqual({
    code: 2,
    out: "",
    err: 'gwpm: there is no completion for "tcsh"\nWrite bash, zsh or fish.\n',
  });
});

test("version", async () => {
  const { version } = JSON.parse(readFileSync(new URL("../../../package.json", import.meta.url), "utf8"));
  expect(await run("version")).toEqual({ code: 0, out: `gwpm ${version}\n`, err: "" });
  expect(JSON.parse((await run("version", "--json")).out)).toEqual({ version, node: process.versions.node });
});
