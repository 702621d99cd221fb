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

for (const stream of [process.stdout, process.stderr]) {
  // `gwpm logs -f | head`: that nobody reads on is no error. Whoever writes for long looks at the stream.
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
  });
}
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

/** Ends the process once what was written has arrived; nothing that still ticks may hold it. */
function leave(exitCode: number): void {
  process.stdout.write("", () => process.stderr.write("", () => process.exit(exitCode)));
}
