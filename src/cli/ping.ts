/** `gwpm ping`: healthy or not, for container probes. */

import { ControlError } from "../control/client.ts";
import { connect } from "./connect.ts";
import { pathWith } from "./follow.ts";
import { printJson } from "./output.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  define(command) {
    command
      .description("Exit 0 when the supervisor, or one pool, is healthy; 1 with the reason when it is not.")
      .argument("[pool]", "only this pool")
      .option("--json", "print one JSON document")
      .addHelpText("after", "\nExample:\n  HEALTHCHECK CMD gwpm ping web");
  },

  async run([pool], flags, io) {
    const client = await connect(flags, io);
    const json = flags.json === true;
    try {
      await client.json("GET", pathWith("/healthz", { pool }));
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== "GWPM_UNHEALTHY") throw error;
      if (json) printJson(io, { healthy: false, reason: error.message });
      else io.stderr.write(`unhealthy: ${error.message}\n`);
      return 1;
    }
    if (json) printJson(io, { healthy: true, reason: null });
    else io.stdout.write("healthy\n");
    return 0;
  },
};
