/** "Did you mean". */

import { expect, test } from "vitest";
import { nearest } from "../../../src/config/nearest.ts";

const known = ["workers", "nodeArgs", "stopSignal", "env", "listen", "name"];
const aliases = new Map([["max_requests", "recycle.maxRequests"]]);

test.each([
  ["wrokers", "workers"],
  ["worker", "workers"],
  ["node_args", "nodeArgs"],
  ["NODEARGS", "nodeArgs"],
  ["lisen", "listen"],
  ["evn", "env"],
  ["max-requests", "recycle.maxRequests"],
])("%s → %s", (name, meant) => {
  expect(nearest(name, known, aliases)).toBe(meant);
});

test.each(["x", "", "zzzzzzzz", "completely-different", "a".repeat(10_000)])(
  "%s is near to nothing",
  (name) => {
    expect(nearest(name, known, aliases)).toBeUndefined();
  },
);
