/** `gwpm logs`: what the workers print. */

import type { LogLine } from "../control/messages.ts";
import { humanTime } from "../core/format.ts";
import { painter } from "./colour.ts";
import { connect } from "./connect.ts";
import { UsageError } from "./failure.ts";
import { pathWith, printStream } from "./follow.ts";
import { printable, printableWithColour } from "./printable.ts";
import type { Io, Verb } from "./verb.ts";

const DEFAULT_LINES = 20;

export const verb: Verb = {
  define(command) {
    command
      .description("Print what the workers write to stdout and stderr.")
      .argument("[pool...]", "only these pools")
      .option("-f, --follow", "go on with what comes")
      .option("-n, --lines <count>", "how many past lines", String(DEFAULT_LINES))
      .option("--json", "print one JSON object a line (NDJSON)")
      .addHelpText("after", "\nExample:\n  gwpm logs web -f -n 100");
  },

  async run(pools, flags, io) {
    const path = pathWith("/v1/logs", {
      pool: pools,
      last: parseCount(String(flags.lines)),
      follow: flags.follow === true ? 1 : undefined,
    });
    const client = await connect(flags, io);
    await printStream<LogLine>(client, path, io, flags.json === true ? null : renderer(io));
    return 0;
  },
};

function parseCount(text: string): number {
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(`logs: -n ${text} is not a number of lines`, "Write -n 100.");
}

/** `14:03:59.120 web:0 err  the line`; on a terminal the worker's own colours stay, all else that would steer it does not. */
function renderer(io: Io): (line: LogLine) => string {
  const paint = painter(io);
  const keepColours = paint("bold", "") !== "";
  return ({ at, pool, slot, stream, line, truncated }) => {
    const head = `${humanTime(Date.parse(at), Date.now())} ${pool}:${slot} ${stream === "stderr" ? "err" : "out"}`;
    const text = !io.isTty ? line : keepColours ? printableWithColour(line) : printable(line);
    return `${paint(stream === "stderr" ? "red" : "dim", head)}  ${text}${truncated === true ? " …" : ""}`;
  };
}
