/** `gwpm version`. */

import { gwpmVersion } from "../gateway/http/version.ts";
import { printJson } from "./output.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  define(command) {
    command
      .description("Print the version of gwpm.")
      .option("--json", "print it as JSON, with the version of Node")
      .addHelpText("after", "\nExample:\n  gwpm version");
  },

  async run(_args, flags, io) {
    const version = gwpmVersion();
    if (flags.json === true) printJson(io, { version, node: process.versions.node });
    else io.stdout.write(`gwpm ${version}\n`);
    return 0;
  },
};
