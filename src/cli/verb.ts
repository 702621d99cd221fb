/** What a file in this folder exports as `verb`: one verb, as a plain function that knows nothing of the process it runs in. */

import type { Command } from "commander";

/** The flags that every verb accepts, anywhere on the command line (SPEC §3). */
export interface GlobalFlags {
  /** `-c FILE` */
  config?: string;
  /** `--env NAME`: the `env_<NAME>` block to lay over `env`. */
  env?: string;
  /** `--socket PATH`: the control socket of the supervisor to talk to. */
  socket?: string;
}

/** The world as a verb sees it, so that tests can hand it another one. */
export interface Io {
  stdout: NodeJS.WritableStream;
  stderr: NodeJS.WritableStream;
  /** The folder the command was given in; relative paths start here. */
  cwd: string;
  env: NodeJS.ProcessEnv;
  /** Whether stdout is a terminal. */
  isTty: boolean;
}

export interface Verb {
  /** Gives the command its description, arguments, flags and an example. Must do nothing else: `--help` calls it for every verb. */
  define(command: Command): void;
  /** @returns the exit code (SPEC §3) */
  run(args: string[], flags: Record<string, unknown> & GlobalFlags, io: Io): Promise<number>;
}
