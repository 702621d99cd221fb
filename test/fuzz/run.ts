/**
 * Fuzzes decoders and connections for a time: `node test/fuzz/run.ts [--seconds 60] [--seed N] [--target NAME]`, with a Node that runs
 * TypeScript (22.18 or later). Prints the seed of the run that fails; with that seed alone, it fails again.
 */

import { parseArgs } from "node:util";
import { Random } from "./random.ts";
import { targets } from "./targets.ts";

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string" },
    target: { type: "string" },
  },
});

/** How much the process may grow, in bytes, once it has warmed up. */
const MAX_GROWTH = 150 * 1024 * 1024;
/** A single input that takes longer hangs. */
const MAX_RUN_MS = 10_000;

// Handlers fail on purpose: their reports would bury everything else.
const report = console.log;
process.stderr.write = () => true;

const names = values.target === undefined ? Object.keys(targets) : [values.target];
const deadline = Date.now() + Number(values.seconds) * 1000;
let seed = values.seed === undefined ? (Math.random() * 2 ** 32) >>> 0 : Number(values.seed);
const runs = new Map<string, number>();
let warm = 0;

report(`first seed ${seed}, ${values.seconds} s, targets: ${names.join(", ")}`);
let watchdog = setTimeout(() => {}, 0);
do {
  for (const name of names) {
    watchdog.close();
    watchdog = setTimeout(() => fail(name, new Error(`no end after ${MAX_RUN_MS} ms`)), MAX_RUN_MS);
    try {
      await targets[name]!(new Random(seed));
    } catch (error) {
      fail(name, error);
    }
    runs.set(name, (runs.get(name) ?? 0) + 1);
  }
  seed = (seed + 1) >>> 0;
  checkGrowth();
} while (Date.now() < deadline && values.seed === undefined);
watchdog.close();
for (const [name, count] of runs) report(`${name}: ${count} inputs`);
report(`memory grew by ${Math.round((process.memoryUsage().rss - warm) / 1024 / 1024)} MB after warming up`);

function checkGrowth(): void {
  const count = runs.get(names[0]!) ?? 0;
  if (count === 3_000) warm = process.memoryUsage().rss;
  if (count > 3_000 && count % 1_000 === 0 && process.memoryUsage().rss - warm > MAX_GROWTH) {
    fail("memory", new Error(`grew from ${warm} to ${process.memoryUsage().rss} bytes`));
  }
}

function fail(name: string, error: unknown): never {
  report(`FAILED: --target ${name} --seed ${seed}`);
  report(error);
  process.exit(1);
}
