/** From the command line to an exit code: finds the verb, reads its flags, runs it, and tells what went wrong. */

import { Command, CommanderError, Option } from "commander";
import { nearest } from "../config/nearest.ts";
import { overview } from "./overview.ts";
import type { GlobalFlags, Io, Verb } from "./verb.ts";
import { findVerb, VERBS, type VerbEntry } from "./verbs.ts";

/**
 * Runs one command line.
 *
 * @param argv without the program's own name
 * @returns the exit code (SPEC §3); never rejects
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    return tell(error, io);
  }
}

/** Says on stderr what went wrong, in a sentence and a hint. @returns the exit code */
export async function tell(error: unknown, io: Io): Promise<number> {
  const [{ explain }, { printable }] = await Promise.all([import("./failure.ts"), import("./printable.ts")]);
  const { exitCode, lines } = explain(error, io.env.GWPM_DEBUG === "1");
  const text = lines.flatMap((line) => line.split("\n")).map(printable);
  io.stderr.write(`gwpm: ${text.join("\n")}\n`);
  return exitCode;
}

/** The flags that may stand before the verb as well as after it. */
const GLOBAL_OPTIONS: readonly Option[] = [
  new Option("-c, --config <file>", "the config file; otherwise the ecosystem file in this folder"),
  new Option("--env <name>", "lay the config's env_<name> blocks over env"),
  new Option("--socket <path>", "the control socket of the supervisor to talk to"),
].map((option) => option.helpGroup("Global options:"));

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const { flags, rest } = takeLeadingFlags(argv);
  const [word, ...args] = rest;
  if (word === undefined) {
    io.stderr.write(overview());
    return 2;
  }
  if (word === "--help" || word === "-h" || word === "help") {
    const about = args.find((arg) => !arg.startsWith("-"));
    if (about !== undefined) return runVerb(await pick(about), ["--help"], io);
    io.stdout.write(overview());
    return 0;
  }
  return runVerb(await pick(word), [...flags, ...args], io);
}

/** `gwpm -c FILE status` means `gwpm status -c FILE`. */
function takeLeadingFlags(argv: readonly string[]): { flags: string[]; rest: readonly string[] } {
  const flags: string[] = [];
  let index = 0;
  for (;;) {
    const arg = argv[index];
    if (arg === undefined || !GLOBAL_OPTIONS.some((option) => isFlagOf(option, arg))) break;
    const isWhole = arg.startsWith("--") ? arg.includes("=") : arg.length > 2;
    const length = isWhole ? 1 : 2;
    flags.push(...argv.slice(index, index + length));
    index += length;
  }
  return { flags, rest: argv.slice(index) };
}

function isFlagOf({ long, short }: Option, arg: string): boolean {
  if (arg === long || arg.startsWith(`${long}=`)) return true;
  return short !== undefined && arg.startsWith(short) && !arg.startsWith("--");
}

async function pick(word: string): Promise<VerbEntry> {
  const entry = findVerb(word);
  if (entry !== undefined) return entry;
  const { UsageError } = await import("./failure.ts");
  const names = VERBS.map(({ name }) => name);
  if (word.startsWith("-")) {
    throw new UsageError(`there is no flag ${word} before the verb`, "See `gwpm --help`.");
  }
  const meant = nearest(word, names);
  throw new UsageError(
    `there is no verb "${word}"${meant === undefined ? "" : `; did you mean "${meant}"?`}`,
    "See `gwpm --help`.",
  );
}

async function runVerb(entry: VerbEntry, args: readonly string[], io: Io): Promise<number> {
  if (entry.load === null) {
    const { CliError } = await import("./failure.ts");
    throw new CliError(`\`gwpm ${entry.name}\` is not implemented yet: ${entry.summary}`);
  }
  const verb = await entry.load();
  const command = defineCommand(entry, verb);
  const complaint = { text: "" };
  command.exitOverride().configureOutput({
    writeOut: (text) => io.stdout.write(text),
    writeErr: (text) => {
      complaint.text += text;
    },
  });
  try {
    command.parse([...args], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return 0;
    const { UsageError } = await import("./failure.ts");
    const message = complaint.text.trim().replace(/^error: /, "");
    throw new UsageError(`${entry.name}: ${message}`, `See \`gwpm ${entry.name} --help\`.`);
  }
  return verb.run(command.args, command.opts<Record<string, unknown> & GlobalFlags>(), io);
}

/** The verb as commander knows it, with the flags that all verbs share. */
export function defineCommand(entry: VerbEntry, verb: Verb): Command {
  const command = new Command(`gwpm ${entry.name}`);
  verb.define(command);
  for (const option of GLOBAL_OPTIONS) {
    if (!command.options.some(({ long }) => long === option.long)) command.addOption(option);
  }
  return command;
}
