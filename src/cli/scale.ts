/** `gwpm scale`: how many workers a pool should have. */

import { humanCount, plural } from "../core/format.ts";
import { connect } from "./connect.ts";
import { UsageError } from "./failure.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  define(command) {
    command
      .description("Change how many workers a pool has, until the next start or reload.")
      .argument("<pool>", "the pool")
      .argument("<workers>", "a number, or a change such as +2 or -2")
      .addHelpText("after", "\nExample:\n  gwpm scale web 8\n  gwpm scale web -2");
  },

  async run(args, flags, io) {
    const [pool = "", text = ""] = args;
    const workers = parseWorkers(text);
    const client = await connect(flags, io);
    const path = `/v1/pools/${encodeURIComponent(pool)}/scale`;
    const { from, to } = await client.longJson<{ from: number; to: number }>("POST", path, { workers });
    io.stdout.write(`${pool}: from ${humanCount(from)} to ${plural(to, "worker")}\n`);
    return 0;
  },
};

function parseWorkers(text: string): number | string {
  if (/^[+-]\d{1,6}$/.test(text)) return text;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new UsageError(
    `scale: "${text}" is not a number of workers`,
    'Write 8, or a change such as "+2" or "-2".',
  );
}
