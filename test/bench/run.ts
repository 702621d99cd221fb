/**
 * `npm run bench [-- --check] [--rounds N] [--seconds S]`: requests per second side by side. The lanes take turns, A B C A B C …, so that
 * a noisy machine disturbs all alike; only the ratios within a round mean anything. `--check` exits 1 when a median ratio is under its floor.
 */

import { parseArgs } from "node:util";
import { findPeer } from "../support/peers.ts";
import { Sandbox } from "../support/sandbox.ts";
import { LANES, type LaneId, startLanes } from "./lanes.ts";
import { generateLoad } from "./load.ts";

const CONNECTIONS = 32;
const WARM_UP_SECONDS = 2;

type Rates = Record<LaneId, number>;

const ids = Object.keys(LANES) as LaneId[];
const yardstick = ids[0]!;

const { values: options } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    rounds: { type: "string", default: "7" },
    seconds: { type: "string", default: "4" },
  },
});

if (findPeer("nginx") === undefined) throw new Error("The benchmark needs nginx (Debian: nginx-light)");
if (findPeer("wrk") === undefined)
  console.log("wrk is not installed: a client of our own flattens the ratios");

const sandbox = new Sandbox();
let failed = true;
try {
  const rounds = await measure(Number(options.rounds), Number(options.seconds));
  const misses = report(rounds);
  if (options.check && misses.length > 0) {
    console.error(`\nToo slow: ${misses.join("; ")}`);
    process.exitCode = 1;
  }
  failed = false;
} finally {
  await sandbox.close({ failed });
}

async function measure(rounds: number, seconds: number): Promise<Rates[]> {
  const { at } = await startLanes(sandbox);
  const rateOf = (id: LaneId, duration: number): Promise<number> => {
    const target = at[id];
    if ("path" in target) throw new Error(`${id} must listen on TCP: wrk knows no Unix sockets`);
    return generateLoad(sandbox, { ...target, connections: CONNECTIONS, seconds: duration });
  };
  for (const id of ids) await rateOf(id, WARM_UP_SECONDS);
  const results: Rates[] = [];
  for (let round = 1; round <= rounds; round++) {
    const rates = {} as Rates;
    for (const id of ids) rates[id] = await rateOf(id, seconds);
    console.log(`round ${round}: ${ids.map((id) => `${id} ${Math.round(rates[id])}`).join(", ")}`);
    results.push(rates);
  }
  return results;
}

/** Prints the table. @returns the lanes under their floor, in words */
function report(rounds: readonly Rates[]): string[] {
  console.log(`\n${"".padEnd(32)}${"requests/s".padStart(12)}   ratio (min .. max)`);
  return ids.flatMap((id) => {
    const { name, floor } = LANES[id];
    const rate = median(rounds.map((rates) => rates[id]));
    const ratios = rounds.map((rates) => rates[id] / rates[yardstick]);
    const ratio = median(ratios);
    const range = `${Math.min(...ratios).toFixed(2)} .. ${Math.max(...ratios).toFixed(2)}`;
    const goal = floor === null ? "" : `, at least ${floor}`;
    console.log(
      `${name.padEnd(32)}${String(Math.round(rate)).padStart(12)}   ${ratio.toFixed(2)} (${range})${goal}`,
    );
    return floor !== null && ratio < floor ? [`${name} is at ${ratio.toFixed(2)}, not ${floor}`] : [];
  });
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
