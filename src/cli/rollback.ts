/** `gwpm rollback`: a pool goes back to the configuration before its last reload. */

import type { ReloadVerdict } from "../control/messages.ts";
import { connect } from "./connect.ts";
import type { Verb } from "./verb.ts";
import { printVerdict } from "./verdict.ts";
import { showWhile, tellRoll } from "./waiting.ts";

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Roll a pool to the configuration before its last reload, new workers before old ones. " +
          "The code is what is on disk: gwpm keeps no copies of it.",
      )
      .argument("<pool>", "the pool")
      .option("--json", "print the verdict as one JSON document")
      .addHelpText("after", "\nExits 6 when that does not start either.\n\nExample:\n  gwpm rollback web");
  },

  async run([pool = ""], flags, io) {
    const client = await connect(flags, io);
    const work = client.longJson<ReloadVerdict>("POST", `/v1/pools/${encodeURIComponent(pool)}/rollback`);
    return printVerdict(await showWhile(work, client, io, tellRoll), io, flags.json === true);
  },
};
