/** `gwpm resume`: a drained pool takes work again. */

import { connect } from "./connect.ts";
import type { Verb } from "./verb.ts";
import { showWhile, tellRoll } from "./waiting.ts";

export const verb: Verb = {
  define(command) {
    command
      .description("Let a drained pool take work again. Returns when its workers are ready.")
      .argument("<pool>", "the pool")
      .addHelpText("after", "\nExample:\n  gwpm resume web");
  },

  async run([pool = ""], flags, io) {
    const client = await connect(flags, io);
    const work = client.longJson("POST", `/v1/pools/${encodeURIComponent(pool)}/resume`);
    await showWhile(work, client, io, tellRoll);
    io.stdout.write(`${pool}: takes work again\n`);
    return 0;
  },
};
