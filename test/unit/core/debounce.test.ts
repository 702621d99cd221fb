/** When changes of files become a reload. The times are the test's own. */

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Debounce, describeChanges } from "../../../src/core/debounce.ts";

const never = Number.POSITIVE_INFINITY;

describe("Debounce", () => {
  test("nothing is due while nothing has changed", () => {
    const debounce = new Debounce(100);
    expect(debounce.dueAt).toBe(never);
    expect(debounce.begin()).toBeNull();
  });

  test("a reload is due once it has been quiet since the last change", () => {
    const debounce = new Debounce(100);
    debounce.note("a.js", 1_000);
    expect(debounce.dueAt).toBe(1_100);
    debounce.note("b.js", 1_090);
    debounce.note("a.js", 1_180);
    expect(debounce.dueAt).toBe(1_280);
    expect(debounce.begin()).toEqual({ first: "a.js", more: 1, uncounted: false });
    expect(debounce.dueAt).toBe(never);
  });

  test("what is known to go on puts it off, and is no change by itself", () => {
    const debounce = new Debounce(100);
    debounce.stir(1_000);
    expect(debounce.dueAt).toBe(never);
    debounce.note("a.js", 1_010);
    debounce.stir(1_050);
    expect(debounce.dueAt).toBe(1_150);
    expect(debounce.begin()).toEqual({ first: "a.js", more: 0, uncounted: false });
  });

  test("what changes while it waits for its turn is part of it", () => {
    const debounce = new Debounce(100);
    debounce.note("a.js", 0);
    debounce.asked();
    debounce.note("b.js", 500);
    expect(debounce.dueAt).toBe(never);
    expect(debounce.begin()).toMatchObject({ first: "a.js", more: 1 });
    debounce.ended();
    expect(debounce.dueAt).toBe(never);
  });

  test("what changes during a reload makes exactly one more", () => {
    const debounce = new Debounce(100);
    debounce.note("a.js", 0);
    debounce.asked();
    debounce.begin();
    for (let at = 200; at <= 900; at += 100) debounce.note("b.js", at);
    expect(debounce.dueAt).toBe(never);
    debounce.ended();
    expect(debounce.dueAt, "the last change was long enough ago, or still has to be").toBe(1_000);
    debounce.asked();
    expect(debounce.begin()).toMatchObject({ first: "b.js", more: 0 });
    debounce.ended();
    expect(debounce.dueAt).toBe(never);
  });

  test("a temporary file that came and went is no change; one that was replaced is", () => {
    const debounce = new Debounce(100);
    debounce.note("a.js.tmp", 0, "came");
    debounce.note("a.js.tmp", 1, "changed");
    debounce.note("a.js.tmp", 2, "went");
    expect(debounce.dueAt).toBe(never);
    debounce.note("a.js", 3, "went");
    debounce.note("a.js", 4, "came");
    debounce.note("b.js", 5, "went");
    expect(debounce.begin()).toEqual({ first: "a.js", more: 1, uncounted: false });
  });

  test("a storm of changes is counted up to a bound", () => {
    const debounce = new Debounce(100);
    for (let i = 0; i < 10_000; i++) debounce.note(`${i}.js`, i);
    expect(debounce.dueAt).toBe(10_099);
    const changes = debounce.begin()!;
    expect(changes).toEqual({ first: "0.js", more: 999, uncounted: true });
    debounce.note("a.js", 20_000);
    expect(debounce.begin(), "the bound is per reload").toEqual({ first: "a.js", more: 0, uncounted: false });
  });

  test("no change is ever lost, and none is reloaded twice", () => {
    const step = fc.oneof(
      fc.record({ kind: fc.constant("note" as const), file: fc.constantFrom("a", "b", "c") }),
      fc.record({ kind: fc.constantFrom("ask" as const, "begin" as const, "end" as const) }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const debounce = new Debounce(10);
        const unseen = new Set<string>();
        let phase: "idle" | "asked" | "reloading" = "idle";
        steps.forEach((one, now) => {
          if (one.kind === "note") {
            debounce.note(one.file, now);
            unseen.add(one.file);
          } else if (one.kind === "ask" && phase === "idle" && debounce.dueAt !== never) {
            debounce.asked();
            phase = "asked";
          } else if (one.kind === "begin" && phase === "asked") {
            expect(debounce.begin()?.more).toBe(unseen.size - 1);
            unseen.clear();
            phase = "reloading";
          } else if (one.kind === "end" && phase === "reloading") {
            debounce.ended();
            phase = "idle";
          }
          expect(debounce.dueAt !== never).toBe(phase === "idle" && unseen.size > 0);
        });
      }),
    );
  });
});

test.each([
  [{ first: "a.js", more: 0, uncounted: false }, "a change of a.js"],
  [{ first: "lib/a.js", more: 2, uncounted: false }, "a change of lib/a.js +2 more"],
  [{ first: "a.js", more: 999, uncounted: true }, "a change of a.js +1000 or more"],
])("%j is told as %s", (changes, words) => {
  expect(describeChanges(changes)).toBe(words);
});
