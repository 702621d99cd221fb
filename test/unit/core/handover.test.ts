import { describe, expect, test } from "vitest";
import { chooseAdopter } from "../../../src/core/handover.ts";

describe("who is given a connection", () => {
  test.each([
    ["nobody where there is nobody", [], null],
    [
      "the one with the fewest",
      [
        [1, true, 3],
        [2, true, 1],
        [3, true, 2],
      ],
      2,
    ],
    [
      "the first of equals",
      [
        [7, true, 2],
        [4, true, 2],
      ],
      7,
    ],
    [
      "a current one, however many it has",
      [
        [1, false, 0],
        [2, true, 50],
      ],
      2,
    ],
    [
      "an outdated one rather than nobody",
      [
        [1, false, 5],
        [2, false, 4],
      ],
      2,
    ],
  ] as [string, [number, boolean, number][], number | null][])("%s", (_, workers, expected) => {
    expect(chooseAdopter(workers.map(([id, current, connections]) => ({ id, current, connections })))).toBe(
      expected,
    );
  });
});
