/** `gwpm recycle`: replaces workers one by one, new before old. */

import { connect } from "./connect.ts";
import { UsageError } from "./failure.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Replace every worker of a pool, one after the other, or the one in a slot; new before old.",
      )
      .argument("<pool[:slot]>", "the pool, and the slot as `gwpm status` shows it")
      .addHelpText("after", "\nExample:\n  gwpm recycle web\n  gwpm recycle web:3");
  },

  async run(args, flags, io) {
    const { pool, slot } = parseTarget(args[0] ?? "");
    const client = await connect(flags, io);
    const workers = slot === null ? "" : `/workers/${slot}`;
    const { recycled } = await client.longJson<{ recycled: { slot: number; pid: number }[] }>(
      "POST",
      `/v1/pools/${encodeURIComponent(pool)}${workers}/recycle`,
    );
    for (const worker of recycled) {
      io.stdout.write(`${pool}:${worker.slot}: pid ${worker.pid} has its replacement and finishes\n`);
    }
    if (recycled.length === 0) io.stdout.write(`${pool}: no worker to recycle\n`);
    return 0;
  },
};

function parseTarget(text: string): { pool: string; slot: number | null } {
  const match = /^([^:]+)(?::(\d{1,6}))?$/.exec(text);
  if (match === null) {
    throw new UsageError(`recycle: "${text}" is not a pool or a pool's slot`, 'Write "web" or "web:3".');
  }
  return { pool: match[1]!, slot: match[2] === undefined ? null : Number(match[2]) };
}
