#!/usr/bin/env node
/** The command: argv in, exit code out. */

import { main, tell } from "../src/cli/main.ts";
import type { Io } from "../src/cli/verb.ts";

const io: Io = {
  stdout: process.stdout,
  stderr: process.stderr,
  cwd: currentFolder(),
  env: process.env,
  isTty: process.stdout.isTTY === true,
};

/** What kept us from writing what we had to say. */
let unwritten: Error | undefined;
const note = (error: NodeJS.ErrnoException | null | undefined): void => {
  // `gwpm logs -f | head`: that nobody reads on is no error. Whoever writes for long looks at the stream.
  if (error && error.code !== "EPIPE" && error.code !== "ERR_STREAM_DESTROYED") unwritten ??= error;
};
process.stdout.on("error", note);
process.stderr.on("error", note);
process.once("uncaughtException", (error) => void tell(error, io).then(leave));

leave(await main(process.argv.slice(2), io));

/** The folder we are in may be gone, in which case only absolute paths can be resolved. */
function currentFolder(): string {
  try {
    return process.cwd();
  } catch {
    return "/";
  }
}

/** Ends the process once what was written has arrived, or cannot; nothing that still ticks may hold it. */
function leave(exitCode: number): void {
  process.stdout.write("", (error) => {
    note(error);
    if (unwritten !== undefined)
      process.stderr.write(`gwpm: cannot write the output: ${unwritten.message}\n`);
    process.stderr.write("", () => process.exit(unwritten === undefined ? exitCode : exitCode || 1));
  });
}
