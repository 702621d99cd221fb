/** `gwpm drain`: a pool finishes what is active and takes nothing new until `gwpm resume`. */

import { connect } from "./connect.ts";
import type { Verb } from "./verb.ts";
import { showWhile, tellStop } from "./waiting.ts";

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Let a pool finish what is active and take nothing new: its sockets refuse until `gwpm resume`.",
      )
      .argument("<pool>", "the pool")
      .addHelpText("after", "\nReturns when no worker is left.\n\nExample:\n  gwpm drain web");
  },

  async run([pool = ""], flags, io) {
    const client = await connect(flags, io);
    const work = client.longJson("POST", `/v1/pools/${encodeURIComponent(pool)}/drain`);
    const ofPool = (name: string) => (status: Parameters<typeof tellStop>[0]) =>
      tellStop({ ...status, pools: status.pools.filter((one) => one.name === name) });
    await showWhile(work, client, io, ofPool(pool));
    io.stdout.write(`${pool}: drained; \`gwpm resume ${pool}\` lets it take work again\n`);
    return 0;
  },
};
