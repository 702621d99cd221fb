/** What a pool has counted, with what its living workers have so far. */

import type { Pool } from "./pool.ts";
import type { Totals } from "./tally.ts";

export function totalsOf(pool: Pool): Totals {
  const boards = [...pool.crew.workers].map((worker) => worker.board());
  return pool.crew.tally.totals(boards.filter((board) => board !== null));
}
