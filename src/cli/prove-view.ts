/** The result of `gwpm prove`, for people and as a document, and the line that shows how far it is. */

import { humanCount, humanDuration, humanRate, plural } from "../core/format.ts";
import type { Ledger, LedgerReport } from "../core/ledger.ts";
import type { ChoreReport } from "./prove-chores.ts";
import type { ProvePlan } from "./prove-flags.ts";

/** SPEC §3. */
const EXIT_ROLLED_BACK = 6;

export interface ProveResult {
  readonly plan: ProvePlan;
  /** Where the requests went. */
  readonly via: readonly string[];
  readonly keepAlive: boolean;
  readonly tookMs: number;
  /** Whether somebody ended it early. */
  readonly interrupted: boolean;
  readonly ledger: LedgerReport;
  readonly chores: ChoreReport;
}

/** @returns 1 for any loss, duplicate, or chore that could not be done; 6 when a reload was rolled back; else 0 */
export function exitCodeOf({ ledger, chores }: ProveResult): number {
  const { lost, mixedUp, duplicated, abandoned } = ledger;
  if (lost + mixedUp + abandoned + (duplicated ?? 0) > 0 || chores.failed > 0) return 1;
  return chores.reloads.rolledBack > 0 ? EXIT_ROLLED_BACK : 0;
}

/** What `--json` prints; what is not known is `null`. */
export function toDocument(result: ProveResult): object {
  const { plan, via, keepAlive, tookMs, interrupted, ledger, chores } = result;
  const { p50, p99, p999, max } = ledger.latencyMs;
  return {
    schemaVersion: 1,
    pool: plan.pool,
    via,
    keepAlive,
    tookMs: Math.round(tookMs),
    interrupted,
    passed: exitCodeOf(result) === 0,
    ...ledger,
    latencyMs: { p50: micros(p50), p99: micros(p99), p999: micros(p999), max: micros(max) },
    reloads: plan.reloadEveryMs === null ? null : roundReloads(chores.reloads),
    kills: plan.killEveryMs === null ? null : chores.kills,
    problems: chores.problems,
  };
}

/** Lines for people. */
export function renderResult(result: ProveResult): string[] {
  const { plan, via, tookMs, interrupted, ledger, chores } = result;
  const perSecond = (ledger.sent * 1000) / Math.max(tookMs, 1);
  const missed = plan.rate !== null && perSecond < plan.rate * 0.95 ? `, ${humanRate(plan.rate)} asked` : "";
  return [
    `${plan.pool}: ${plural(ledger.sent, "request")} in ${humanDuration(tookMs)} (${humanRate(perSecond)}/s${missed})` +
      ` through ${via.join(", ")}${interrupted ? "; ended early" : ""}`,
    ...rows(result).map(([name, value, more]) =>
      `  ${name.padEnd(17)}${value.padStart(9)}  ${more}`.trimEnd(),
    ),
    ...ledger.losses.map(
      ({ number, atMs, reason }) => `  request ${number}, after ${humanDuration(atMs)}: ${reason}`,
    ),
    ...moreLosses(ledger),
    ...chores.problems.map((problem) => `  ${problem}`),
    conclude(result),
  ];
}

type Row = readonly [name: string, value: string, more: string];

function rows({ plan, ledger, chores }: ProveResult): Row[] {
  const { latencyMs, duplicated } = ledger;
  const { ok, rolledBack, failed, slowestMs } = chores.reloads;
  const percentiles = `p50 ${ms(latencyMs.p50)}, p99 ${ms(latencyMs.p99)}, p99.9 ${ms(latencyMs.p999)}`;
  const faults = [
    ...(rolledBack > 0 ? [`${rolledBack} rolled back`] : []),
    ...(failed > 0 ? [`${failed} failed`] : []),
  ];
  const slowest = slowestMs === null ? [] : [`the slowest took ${humanDuration(slowestMs)}`];
  return [
    ["answered once", humanCount(ledger.answered), tellStatuses(ledger)],
    ["lost", humanCount(ledger.lost), ""],
    ...optional("mixed up", ledger.mixedUp, "got another request's answer"),
    ...optional("broken by a kill", plan.killEveryMs === null ? 0 : ledger.brokenByKill, ""),
    ...optional("abandoned", ledger.abandoned, "nobody waited for their answers"),
    duplicated === null
      ? ["duplicated", "unknown", "the application does not count (see docs/prove.md)"]
      : ["duplicated", humanCount(duplicated), ""],
    ["slowest", ms(latencyMs.max), percentiles],
    ...(plan.reloadEveryMs === null
      ? []
      : [["reloads", humanCount(ok), [...faults, ...slowest].join(", ")] as const]),
    ...(plan.killEveryMs === null ? [] : [["kills", humanCount(chores.kills), ""] as const]),
  ];
}

function optional(name: string, count: number, more: string): Row[] {
  return count === 0 ? [] : [[name, humanCount(count), more]];
}

/** `200: 1,200, 404: 3`. */
function tellStatuses({ statuses }: LedgerReport): string {
  const counts = Object.entries(statuses).map(([status, count]) => `${status}: ${humanCount(count)}`);
  return counts.length === 0 ? "" : `with status ${counts.join(", ")}`;
}

function moreLosses({ lost, mixedUp, losses }: LedgerReport): string[] {
  const more = lost + mixedUp - losses.length;
  return more > 0 ? [`  and ${humanCount(more)} more`] : [];
}

function conclude(result: ProveResult): string {
  const { lost, mixedUp, duplicated, abandoned, brokenByKill } = result.ledger;
  const faults = [
    ...(lost + mixedUp > 0 ? [`${plural(lost + mixedUp, "request")} did not get an answer`] : []),
    ...((duplicated ?? 0) > 0 ? [`${plural(duplicated!, "request")} handled more than once`] : []),
    ...(abandoned > 0 ? [`${plural(abandoned, "request")} broken off`] : []),
    ...(result.chores.failed > 0 ? ["not everything could be done to the pool that was asked for"] : []),
  ];
  if (faults.length > 0) return `failed: ${faults.join("; ")}`;
  if (result.chores.reloads.rolledBack > 0) return "nothing lost, but a reload was rolled back";
  return brokenByKill > 0
    ? "passed: nothing lost but what a killed worker had in hand"
    : "passed: every request got one answer";
}

/** So that the rest still fits 80 columns. */
const BAR_WIDTH = 10;

/** `[###-------] 3.2 s of 10 s · 12,345 sent · 0 lost · reloading (generation 5)`. */
export function tellProgress(
  plan: ProvePlan,
  ledger: Pick<Ledger, "sent" | "failures" | "underWay">,
  elapsedMs: number,
  doing: string,
): string {
  const part = Math.min(elapsedMs / plan.forMs, 1);
  const filled = Math.floor(part * BAR_WIDTH);
  const bar = `[${"#".repeat(filled)}${"-".repeat(BAR_WIDTH - filled)}]`;
  const waiting = part < 1 ? "" : `waiting for ${plural(ledger.underWay, "answer")}`;
  const parts = [
    `${bar} ${humanDuration(Math.min(elapsedMs, plan.forMs))} of ${humanDuration(plan.forMs)}`,
    `${humanCount(ledger.sent)} sent`,
    `${humanCount(ledger.failures)} lost`,
    doing || waiting,
  ];
  return parts.filter((text) => text !== "").join(" · ");
}

function ms(value: number | null): string {
  return value !== null && value < 999.5 ? `${humanRate(value)} ms` : humanDuration(value);
}

function micros(value: number | null): number | null {
  return value === null ? null : Math.round(value * 1000) / 1000;
}

function roundReloads(reloads: ChoreReport["reloads"]): ChoreReport["reloads"] {
  return { ...reloads, slowestMs: micros(reloads.slowestMs) };
}
