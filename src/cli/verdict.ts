/** Prints how a reload or a restart came out, and says what to exit with. */

import type { ReloadVerdict } from "../control/messages.ts";
import { humanDuration } from "../core/format.ts";
import { printJson } from "./output.ts";
import { printable } from "./printable.ts";
import type { Io } from "./verb.ts";

/** SPEC §3. */
const EXIT_ROLLED_BACK = 6;

type PoolVerdict = ReloadVerdict["pools"][number];

/** @returns 6 when a pool was rolled back, else 0 */
export function printVerdict(verdict: ReloadVerdict, io: Io, json: boolean): number {
  if (json) printJson(io, verdict);
  else for (const pool of verdict.pools) printPool(pool, io);
  return verdict.pools.some(({ result }) => result === "rolled-back") ? EXIT_ROLLED_BACK : 0;
}

function printPool(pool: PoolVerdict, io: Io): void {
  if (pool.result !== "rolled-back") {
    io.stdout.write(`${pool.name}: ${tellSuccess(pool)}\n`);
    return;
  }
  const reason = printable(pool.reason ?? "no reason was given");
  io.stderr.write(`${pool.name}: rolled back from generation ${pool.generation}: ${reason}\n`);
  if (pool.output.length === 0) return;
  io.stderr.write("the failing worker's last lines:\n");
  for (const line of pool.output) io.stderr.write(`  ${printable(line)}\n`);
}

function tellSuccess({ result, generation, tookMs }: PoolVerdict): string {
  switch (result) {
    case "added":
      return `added, ready in ${humanDuration(tookMs)}`;
    case "removed":
      return "removed";
    case "unchanged":
      return `unchanged, generation ${generation}`;
    default:
      return `generation ${generation} is ready, ${humanDuration(tookMs)}`;
  }
}
