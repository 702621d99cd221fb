/** The program of a `script` pool's workers: `node main.js SCRIPT [args…]` imports the script and serves what it exports. */

import { resolve } from "node:path";
import { listenForDrain } from "./control-channel.ts";
import { handlersOfModule, KNOWN_FORMS } from "./handlers.ts";
import { loadScript } from "./load.ts";
import { resolveOwnCopy } from "./self-resolve.ts";
import { serveHandlers, serveOnce } from "./serve.ts";
import { sharedWorker } from "./shared.ts";

/** After so long without a handler, a script that goes on running has probably started a server of its own. */
const HINT_AFTER_MS = 5_000;

const [node = process.execPath, , script, ...args] = process.argv;
if (script === undefined) {
  process.stderr.write("gwpm: the worker was given no script\n");
  process.exit(2);
}
const file = resolve(script);
// The script sees what it would see if Node had run it.
process.argv = [node, file, ...args];

const shared = sharedWorker(serveOnce);
process.on("beforeExit", () => {
  if (shared.served || process.exitCode !== undefined) return;
  process.stderr.write(`gwpm: ${file} has ended without serving anything; ${KNOWN_FORMS}\n`);
  process.exitCode = 1;
});

resolveOwnCopy(file);
const exported = await loadScript(file);
if (!shared.served) {
  const handlers = await exportedHandlers();
  if (handlers !== undefined) await serveHandlers(handlers).ready;
  else {
    hintLater();
    drainBySignal();
  }
}

async function exportedHandlers() {
  try {
    return await handlersOfModule(exported);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    process.stderr.write(`gwpm: cannot serve ${file}: ${error.message}\n`);
    process.exit(1);
  }
}

/** A program that accepts by itself does not read the control channel; the signal that it may know says the same. */
function drainBySignal(): void {
  listenForDrain(() => {
    if (!shared.served) process.kill(process.pid, "SIGTERM");
  });
  // Listening must not keep a program alive that has nothing more to do.
  process.channel?.unref();
}

/** It may still call serve(), once its database is there. */
function hintLater(): void {
  setTimeout(() => {
    if (!shared.served) {
      process.stderr.write(
        `gwpm: ${file} exports no handler and has not called serve() yet; a port that it opens itself is not the pool's. ` +
          `Let it ${KNOWN_FORMS}\n`,
      );
    }
  }, HINT_AFTER_MS).unref();
}
