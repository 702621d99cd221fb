/** `gwpm restart`: the roll of a reload with the configuration as it is. */

import type { ReloadVerdict } from "../control/messages.ts";
import { connect } from "./connect.ts";
import type { Verb } from "./verb.ts";
import { printVerdict } from "./verdict.ts";
import { showWhile, tellRoll } from "./waiting.ts";

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Roll the named pools, or all, new workers before old ones, without re-reading the config.",
      )
      .argument("[pool...]", "the pools to roll; all when none is named")
      .option("--json", "print the verdict as one JSON document")
      .addHelpText("after", "\nExits 6 when a pool was rolled back.\n\nExample:\n  gwpm restart web");
  },

  async run(pools, flags, io) {
    const client = await connect(flags, io);
    const work = client.longJson<ReloadVerdict>("POST", "/v1/restart", pools.length === 0 ? {} : { pools });
    return printVerdict(await showWhile(work, client, io, tellRoll), io, flags.json === true);
  },
};
