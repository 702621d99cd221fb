import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { KILL_ECHO_MS, Ledger, MOST_TOLD, type Outcome } from "../../../src/core/ledger.ts";

const OWN: Outcome = { kind: "answer", status: 200, echo: "own", handled: 1 };
const PLAIN: Outcome = { kind: "answer", status: 200, echo: null, handled: null };
const BROKEN: Outcome = { kind: "broken", reason: "the connection was closed" };

/** One request, sent and settled. */
function book(ledger: Ledger, outcome: Outcome, sentAt = 0, at = sentAt + 1): void {
  ledger.settle(ledger.open(sentAt), outcome, at);
}

describe("answers", () => {
  test("are counted by status, with how long they took", () => {
    const ledger = new Ledger(0);
    for (let i = 0; i < 99; i++) book(ledger, OWN, i, i + 2);
    book(ledger, { ...OWN, status: 503 }, 0, 500);
    const report = ledger.report();
    expect(report).toMatchObject({ sent: 100, answered: 100, lost: 0, echoed: 100, losses: [] });
    expect(report.statuses).toEqual({ 200: 99, 503: 1 });
    expect(report.latencyMs.max).toBe(500);
    expect(report.latencyMs.p50).toBeGreaterThan(1.6);
    expect(report.latencyMs.p50).toBeLessThan(2.1);
  });

  test("of nobody have no latency", () => {
    expect(new Ledger(0).report()).toMatchObject({
      sent: 0,
      duplicated: null,
      latencyMs: { p50: null, p99: null, p999: null, max: null },
    });
  });

  test("to another request are a fault", () => {
    const ledger = new Ledger(100);
    book(ledger, { ...OWN, echo: "other" }, 150, 160);
    expect(ledger.failures).toBe(1);
    expect(ledger.report()).toMatchObject({
      answered: 0,
      mixedUp: 1,
      lost: 0,
      losses: [{ number: 1, atMs: 60, reason: "got the answer to another request" }],
    });
  });

  test("come once", () => {
    const ledger = new Ledger(0);
    const number = ledger.open(0);
    ledger.settle(number, OWN, 1);
    expect(() => ledger.settle(number, OWN, 2)).toThrow("Request 1 is not under way");
    expect(() => ledger.settle(7, OWN, 2)).toThrow("Request 7");
  });
});

describe("duplicates", () => {
  test("are unknown, not 0, where nobody counts", () => {
    const ledger = new Ledger(0);
    book(ledger, PLAIN);
    expect(ledger.report().duplicated).toBeNull();
  });

  test("are unknown where some answers have no count", () => {
    const ledger = new Ledger(0);
    book(ledger, OWN);
    book(ledger, PLAIN);
    expect(ledger.report().duplicated).toBeNull();
  });

  test("are none where every answer says that it is the first", () => {
    const ledger = new Ledger(0);
    book(ledger, OWN);
    book(ledger, OWN);
    expect(ledger.report().duplicated).toBe(0);
  });

  test("that were seen are told, whatever the others say", () => {
    const ledger = new Ledger(0);
    book(ledger, { ...OWN, handled: 2 });
    book(ledger, PLAIN);
    expect(ledger.report().duplicated).toBe(1);
  });
});

describe("broken connections", () => {
  test("are losses where nothing was killed", () => {
    const ledger = new Ledger(0);
    book(ledger, BROKEN);
    expect(ledger.report()).toMatchObject({ lost: 1, brokenByKill: 0 });
  });

  /** A worker is killed at 100 and gone at 110. */
  test.each<[string, { sentAt: number; brokeAt: number; kills: boolean }]>([
    ["before the kill", { sentAt: 90, brokeAt: 99, kills: false }],
    ["in the kill", { sentAt: 90, brokeAt: 105, kills: true }],
    ["on a kept connection of the dying worker", { sentAt: 108, brokeAt: 112, kills: true }],
    ["as late as a front end may tell", { sentAt: 50, brokeAt: 110 + KILL_ECHO_MS, kills: true }],
    ["later than that", { sentAt: 50, brokeAt: 111 + KILL_ECHO_MS, kills: false }],
    ["sent when the worker was gone", { sentAt: 111, brokeAt: 120, kills: false }],
  ])("%s", (_name, { sentAt, brokeAt, kills }) => {
    const ledger = new Ledger(0);
    const number = ledger.open(sentAt);
    ledger.killBegins(100)(110);
    ledger.settle(number, BROKEN, brokeAt);
    expect(ledger.report()).toMatchObject({ brokenByKill: kills ? 1 : 0, lost: kills ? 0 : 1 });
    expect(ledger.failures).toBe(kills ? 0 : 1);
  });

  test("while the worker has not gone yet", () => {
    const ledger = new Ledger(0);
    ledger.killBegins(100);
    book(ledger, BROKEN, 5_000, 5_001);
    expect(ledger.brokenByKill).toBe(1);
  });

  test("of an earlier kill that still echoes", () => {
    const ledger = new Ledger(0);
    const number = ledger.open(90);
    ledger.killBegins(100)(110);
    ledger.killBegins(200)(205);
    ledger.settle(number, BROKEN, 150);
    expect(ledger.brokenByKill).toBe(1);
  });

  test("a kill excuses no request that was refused or timed out", () => {
    const ledger = new Ledger(0);
    ledger.killBegins(0);
    book(ledger, { kind: "unanswered", reason: "timed out" });
    expect(ledger.report()).toMatchObject({ lost: 1, brokenByKill: 0 });
  });
});

test("only the first losses are told, all are counted", () => {
  const ledger = new Ledger(0);
  for (let i = 0; i < MOST_TOLD + 5; i++) book(ledger, BROKEN);
  const { lost, losses } = ledger.report();
  expect(lost).toBe(MOST_TOLD + 5);
  expect(losses.map(({ number }) => number)).toEqual(Array.from({ length: MOST_TOLD }, (_, i) => i + 1));
});

test("the books balance, whatever happens", () => {
  const outcome = fc.constantFrom<Outcome>(
    ...[OWN, PLAIN, BROKEN, { ...OWN, echo: "other" as const }],
    ...[{ kind: "unanswered" as const, reason: "refused" }, { kind: "abandoned" as const }],
  );
  const step = fc.oneof(
    fc.record({ what: fc.constant("open" as const) }),
    fc.record({ what: fc.constant("kill" as const), lastsMs: fc.nat(20) }),
    fc.record({ what: fc.constant("settle" as const), outcome, pick: fc.nat() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const ledger = new Ledger(0);
      const open: number[] = [];
      for (const [at, move] of steps.entries()) {
        if (move.what === "open") open.push(ledger.open(at));
        else if (move.what === "kill") ledger.killBegins(at)(at + move.lastsMs);
        else if (open.length > 0) {
          ledger.settle(open.splice(move.pick % open.length, 1)[0]!, move.outcome, at);
        }
      }
      const { sent, answered, lost, mixedUp, brokenByKill, abandoned } = ledger.report();
      expect(ledger.underWay).toBe(open.length);
      expect(answered + lost + mixedUp + brokenByKill + abandoned + ledger.underWay).toBe(sent);
    }),
  );
});
