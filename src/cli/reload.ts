/** `gwpm reload`: new code and config, no request lost. */

import type { ReloadVerdict } from "../control/messages.ts";
import { connect } from "./connect.ts";
import { printJson } from "./output.ts";
import type { Verb } from "./verb.ts";
import { printVerdict } from "./verdict.ts";
import { showWhile, tellRoll } from "./waiting.ts";

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Re-read the config and env and roll the named pools, or all of them: the new workers are ready before " +
          "the old ones finish. Added pools start and removed ones go in any case.",
      )
      .argument("[pool...]", "the pools to roll; all when none is named")
      .option("--changed", "only pools whose configuration differs")
      .option("--no-wait", "return as soon as the configuration is found good")
      .option("--json", "print the verdict as one JSON document")
      .addHelpText("after", "\nExits 6 when a pool was rolled back.\n\nExample:\n  gwpm reload web");
  },

  async run(pools, flags, io) {
    const client = await connect(flags, io);
    const request = {
      ...(pools.length === 0 ? {} : { pools }),
      ...(flags.changed === true ? { changed: true } : {}),
      ...(flags.wait === false ? { wait: false } : {}),
    };
    const work = client.longJson<ReloadVerdict | { accepted: true }>("POST", "/v1/reload", request);
    const answer = await showWhile(work, client, io, tellRoll);
    if ("pools" in answer) return printVerdict(answer, io, flags.json === true);
    if (flags.json === true) printJson(io, answer);
    else
      io.stdout.write("the configuration is good and the pools roll; `gwpm events -f` tells how it goes\n");
    return 0;
  },
};
