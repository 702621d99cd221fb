/** `gwpm init`: a first ecosystem.json, and a worker for it where there is none. */

import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { findConfig } from "../config/load.ts";
import { poolNameOf } from "../config/run-pool.ts";
import { CliError } from "./failure.ts";
import { firstConfig, HELLO_WORKER } from "./first-config.ts";
import type { Verb } from "./verb.ts";

/** What people call the module that starts their app; the first one that exists becomes the pool's script. */
const SCRIPTS = ["app", "server", "index", "main"].flatMap((name) =>
  [".mjs", ".js", ".cjs"].map((suffix) => name + suffix),
);

export const verb: Verb = {
  define(command) {
    command
      .description("Write a first ecosystem.json, and a worker for it where there is none, into this folder.")
      .addHelpText("after", "\nExample:\n  gwpm init && gwpm start");
  },

  async run(_args, _flags, io) {
    const existing = findConfig(io.cwd);
    if (existing !== undefined) {
      throw new CliError(`${existing} exists already, and is left alone`, {
        hint: "Check it with `gwpm check`.",
      });
    }
    const found = SCRIPTS.find((name) => existsSync(join(io.cwd, name)));
    const script = found ?? "app.mjs";
    const hasPackage = existsSync(join(io.cwd, "node_modules/gwpm"));
    write(io.cwd, "ecosystem.json", firstConfig({ script, pool: poolNameOf(script), hasPackage }));
    io.stdout.write(`wrote ecosystem.json: one pool that runs ${script}\n`);
    if (found === undefined) {
      write(io.cwd, script, HELLO_WORKER);
      io.stdout.write(`wrote ${script}: a worker that says hello\n`);
    }
    io.stdout.write(
      "\nNext:\n  gwpm start\n  curl http://127.0.0.1:8080/\n  gwpm status\n  gwpm reload     # after a change\n  gwpm stop\n",
    );
    return 0;
  },
};

/** Never over a file that appeared meanwhile. */
function write(folder: string, name: string, text: string): void {
  try {
    writeFileSync(join(folder, name), text, { flag: "wx" });
  } catch (error) {
    throw new CliError(`cannot write ${join(folder, name)}: ${(error as Error).message}`, { cause: error });
  }
}
