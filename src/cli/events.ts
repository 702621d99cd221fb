/** `gwpm events`: what happened, and why. */

import { parseDuration } from "../config/units.ts";
import { describeEvent } from "../core/describe.ts";
import type { JournalEntry } from "../core/events.ts";
import { humanTime } from "../core/format.ts";
import { type Colour, painter } from "./colour.ts";
import { connect } from "./connect.ts";
import { UsageError } from "./failure.ts";
import { pathWith, printStream } from "./follow.ts";
import { printable } from "./printable.ts";
import type { Io, Verb } from "./verb.ts";

/** How far back `-f` begins where `--since` does not say. */
const LINES_BEFORE_FOLLOWING = 10;

export const verb: Verb = {
  define(command) {
    command
      .description("Tell what happened to pools and workers, and why.")
      .option("-f, --follow", "go on with what comes")
      .option(
        "--since <when>",
        'only since then: a duration such as "10m", or a time such as 2026-01-31T08:00',
      )
      .option("--json", "print one JSON object a line (NDJSON)")
      .addHelpText("after", "\nExample:\n  gwpm events --since 1h\n  gwpm events -f --json");
  },

  async run(_args, flags, io) {
    const follow = flags.follow === true;
    const since = typeof flags.since === "string" ? parseSince(flags.since, Date.now()) : undefined;
    const path = pathWith("/v1/events", {
      since,
      last: follow && since === undefined ? LINES_BEFORE_FOLLOWING : undefined,
      follow: follow ? 1 : undefined,
    });
    const client = await connect(flags, io);
    await printStream<JournalEntry>(client, path, io, flags.json === true ? null : renderer(io));
    return 0;
  },
};

/** @returns milliseconds since the epoch */
export function parseSince(text: string, now: number): number {
  const at = /^\d{4}-/.test(text) ? Date.parse(text) : now - tryDuration(text);
  if (Number.isFinite(at)) return Math.max(0, at);
  throw new UsageError(
    `events: --since ${text} is neither a duration nor a time`,
    "Write --since 10m, or --since 2026-01-31T08:00.",
  );
}

function tryDuration(text: string): number {
  try {
    return parseDuration(text);
  } catch {
    return Number.NaN;
  }
}

function renderer(io: Io): (entry: JournalEntry) => string {
  const paint = painter(io);
  return (entry) => {
    const sentence = printable(describeEvent(entry));
    const colour = colourOf(entry);
    const time = paint("dim", humanTime(entry.at, Date.now()));
    return `${time}  ${colour === undefined ? sentence : paint(colour, sentence)}`;
  };
}

function colourOf(entry: JournalEntry): Colour | undefined {
  switch (entry.type) {
    case "pool-degraded":
    case "config-rejected":
    case "supervisor-upgrade-failed":
      return "red";
    case "warning":
    case "worker-killing":
    case "worker-backoff":
      return "yellow";
    case "pool-ready":
    case "pool-recovered":
    case "supervisor-upgraded":
      return "green";
    case "reload-finished":
      return entry.result === "ok" ? "green" : "red";
    case "worker-exited":
      return entry.cause.kind === "stopped" ? undefined : "red";
    default:
      return undefined;
  }
}
