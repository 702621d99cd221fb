/** `gwpm run FILE`: one pool from one file, in the foreground, no config needed. */

import * as fs from "node:fs";
import { loadRunPool } from "../config/run-pool.ts";
import { superviseHere } from "./foreground.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Serve one file as a pool of workers, in the foreground, with a plain HTTP address to try it at.",
      )
      .argument("<file>", "a Node module: see `What a Node worker exports` in the README")
      .argument("[args...]", "arguments for the module")
      .option("--http <address>", "plain HTTP address (default: 127.0.0.1:8080, or the next free port)")
      .option("--listen <address>", "address for a front end (default: a Unix socket in the run dir)")
      .option("--protocol <protocol>", "fastcgi, scgi or http (default: fastcgi)")
      .option("-n, --workers <count>", "how many workers (default: one for each CPU)")
      .option("--watch", "reload when files in the current folder change")
      .addHelpText("after", "\nExample:\n  gwpm run hello.mjs -n 2 --http 127.0.0.1:3000");
  },

  async run([file, ...args], flags, io) {
    const load = async () =>
      loadRunPool(
        {
          file: file!,
          args,
          http: flags.http as string | undefined,
          listen: flags.listen as string | undefined,
          protocol: flags.protocol as string | undefined,
          workers: flags.workers as string | undefined,
          watch: flags.watch as boolean | undefined,
        },
        { cwd: io.cwd, processEnv: io.env, socket: flags.socket },
      );
    const config = await load();
    try {
      return await superviseHere(config, load, io);
    } finally {
      // It was made for this run alone.
      fs.rmSync(config.runDir, { recursive: true, force: true });
    }
  },
};
