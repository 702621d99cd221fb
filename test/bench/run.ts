/**
 * `npm run bench [-- --check] [--rounds N] [--seconds S]`: requests per second side by side. The lanes take turns, A B C A B C …, so that
 * a noisy machine disturbs all alike; only the ratios within a round mean anything. Many short rounds tell more than a few long ones, for the noise
 * lasts longer than a round. `--check` exits 1 when a median ratio is under its floor.
 */

import { parseArgs } from "node:util";
import { findPeer } from "../support/peers.ts";
import { cpuTicks } from "../support/processes.ts";
import { Sandbox } from "../support/sandbox.ts";
import { LANES, type LaneId, type Lanes, startLanes } from "./lanes.ts";
import { generateLoad } from "./load.ts";

const CONNECTIONS = 32;
const WARM_UP_SECONDS = 2;

/** /proc counts CPU time in hundredths of a second, on every Linux that Node runs on. */
const MICROSECONDS_PER_TICK = 10_000;

interface Figures {
  /** Requests per second. */
  readonly rate: number;
  /** CPU time of the workers per request, in microseconds: tells more than the rate where others use the machine too. */
  readonly cpu: number;
}

type Round = Record<LaneId, Figures>;

const ids = Object.keys(LANES) as LaneId[];
const yardstick = ids[0]!;

const { values: options } = parseArgs({
  options: {
    check: { type: "boolean", default: false },
    rounds: { type: "string", default: "25" },
    seconds: { type: "string", default: "1" },
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

async function measure(rounds: number, seconds: number): Promise<Round[]> {
  const lanes = await startLanes(sandbox);
  for (const id of ids) await measureLane(lanes, id, WARM_UP_SECONDS);
  const results: Round[] = [];
  for (let number = 1; number <= rounds; number++) {
    const round = {} as Round;
    for (const id of ids) round[id] = await measureLane(lanes, id, seconds);
    console.log(`round ${number}: ${ids.map((id) => `${id} ${Math.round(round[id].rate)}`).join(", ")}`);
    results.push(round);
  }
  return results;
}

async function measureLane({ at, workers }: Lanes, id: LaneId, seconds: number): Promise<Figures> {
  const target = at[id];
  if ("path" in target) throw new Error(`${id} must listen on TCP: wrk knows no Unix sockets`);
  const ticks = (): number => workers[id].reduce((sum, pid) => sum + (cpuTicks(pid) ?? Number.NaN), 0);
  const before = ticks();
  const rate = await generateLoad(sandbox, { ...target, connections: CONNECTIONS, seconds });
  return { rate, cpu: ((ticks() - before) * MICROSECONDS_PER_TICK) / (rate * seconds) };
}

/** Prints the table. @returns the lanes under their floor, in words */
function report(rounds: readonly Round[]): string[] {
  console.log(`\n${"".padEnd(32)}requests/s   CPU/request   ratio (min .. max)`);
  return ids.flatMap((id) => {
    const { name, floor } = LANES[id];
    const rate = Math.round(median(rounds.map((round) => round[id].rate)));
    const cpu = median(rounds.map((round) => round[id].cpu)).toFixed(1);
    const ratios = rounds.map((round) => round[id].rate / round[yardstick].rate);
    const ratio = median(ratios);
    const range = `${Math.min(...ratios).toFixed(2)} .. ${Math.max(...ratios).toFixed(2)}`;
    const goal = floor === null ? "" : `, at least ${floor}`;
    const figures = `${String(rate).padStart(10)}${`${cpu} µs`.padStart(14)}`;
    console.log(`${name.padEnd(32)}${figures}   ${ratio.toFixed(2)} (${range})${goal}`);
    return floor !== null && ratio < floor ? [`${name} is at ${ratio.toFixed(2)}, not ${floor}`] : [];
  });
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
