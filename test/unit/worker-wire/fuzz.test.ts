/** A second of fuzzing in every run; `test/fuzz/run.ts` does it for as long as you like. */

import { expect, it, vi } from "vitest";
import { Random } from "../../fuzz/random.ts";
import { targets } from "../../fuzz/targets.ts";

const RUN_MS = 600;

it.each(Object.entries(targets))("%s", async (name, target) => {
  const stderr = vi.spyOn(process.stderr, "write").mockReturnValue(true);
  const deadline = Date.now() + RUN_MS;
  let seed = (Math.random() * 2 ** 32) >>> 0;
  try {
    do {
      seed = (seed + 1) >>> 0;
      await target(new Random(seed));
    } while (Date.now() < deadline);
  } catch (cause) {
    expect.fail(
      `node test/fuzz/run.ts --target ${name} --seed ${seed}\n${cause instanceof Error ? cause.stack : cause}`,
    );
  } finally {
    stderr.mockRestore();
  }
});
