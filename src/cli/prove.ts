/** `gwpm prove`: whether a pool loses requests while it is reloaded and its workers are killed. */

import { randomBytes } from "node:crypto";
import { setMaxListeners } from "node:events";
import type { ControlClient } from "../control/client.ts";
import type { PoolStatus, StatusDocument } from "../control/messages.ts";
import { Ledger } from "../core/ledger.ts";
import { connect } from "./connect.ts";
import { printJson } from "./output.ts";
import { progress } from "./progress.ts";
import { Chores } from "./prove-chores.ts";
import { DEFAULTS, type ProvePlan, readPlan } from "./prove-flags.ts";
import { openRoute } from "./prove-lanes.ts";
import { Load } from "./prove-load.ts";
import { exitCodeOf, type ProveResult, renderResult, tellProgress, toDocument } from "./prove-view.ts";
import { select } from "./status.ts";
import type { Io, Verb } from "./verb.ts";

const SHOW_EVERY_MS = 200;

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Send numbered requests to a pool, GETs and POSTs, and account for every answer, while reloading it and killing its workers.",
      )
      .argument("<pool>", "the pool")
      .option("--for <duration>", `how long to send (default: ${DEFAULTS.for})`)
      .option("--reload-every <duration>", "reload the pool that often")
      .option("--kill-every <duration>", "kill -9 one of its ready workers that often, by lot")
      .option("--rate <n>", "requests a second (default: as fast as the clients get their answers)")
      .option("--clients <n>", `requests under way at a time, at most (default: ${DEFAULTS.clients})`)
      .option("--uri <uri>", `path and query to ask for (default: ${DEFAULTS.uri})`)
      .option("--body <size>", `of each POST; 0 sends GETs only (default: ${DEFAULTS.body})`)
      .option("--url <url>", "through the HTTP front end there, not through the pool's own sockets")
      .option("--keep-alive", "half of the requests on kept connections (default where it suits the pool)")
      .option("--no-keep-alive", "each request on a connection of its own")
      .option("--expect-echo", "take answers without X-Gwpm-Prove for somebody else's, and as losses")
      .option("--timeout <duration>", `for each request (default: ${DEFAULTS.timeout})`)
      .option("--json", "print one JSON document")
      .addHelpText("after", HELP);
  },

  async run([pool = ""], flags, io) {
    const plan = readPlan(pool, flags);
    const client = await connect(flags, io);
    const document = select(await client.json<StatusDocument>("GET", "/v1/status"), [pool]);
    const result = await prove(plan, client, document.pools[0]!, io);
    if (flags.json === true) printJson(io, toDocument(result));
    else io.stdout.write(`${renderResult(result).join("\n")}\n`);
    return exitCodeOf(result);
  },
};

const HELP = `
The first Ctrl-C ends the run and prints the result; a second one does not wait for the answers.

Examples:
  gwpm prove web --for 60s --reload-every 1s
  gwpm prove web --url http://127.0.0.1/app --kill-every 1s --rate 500

Exits 1 when a request was lost or handled twice, 6 when a reload was rolled back.`;

async function prove(plan: ProvePlan, client: ControlClient, pool: PoolStatus, io: Io): Promise<ProveResult> {
  const { lanes, via, keepAlive } = await openRoute(plan, pool);
  const ends = watchForEnd();
  const ledger = new Ledger(performance.now());
  const { over, stop, leave } = ends;
  const runName = randomBytes(4).toString("hex");
  const load = new Load({ ledger, plan, lanes, runName, stop: stop.signal, leave: leave.signal });
  const { name, generation } = pool;
  const chores = new Chores({
    client,
    ledger,
    pool: name,
    generation,
    over: over.signal,
    leave: leave.signal,
  });
  try {
    await load.begin();
    const startedAt = performance.now();
    const hide = showProgress(io, () =>
      tellProgress(plan, ledger, performance.now() - startedAt, chores.doing),
    );
    const timer = setTimeout(() => over.abort(), plan.forMs);
    try {
      // The load outlasts the chores: a reload that has begun is to end under it.
      await allOrNone([load.run(), chores.run(plan).finally(() => stop.abort())], ends);
    } finally {
      clearTimeout(timer);
      hide();
    }
    const tookMs = performance.now() - startedAt;
    const { interrupted } = ends;
    return { plan, via, keepAlive, tookMs, interrupted, ledger: ledger.report(), chores: chores.report() };
  } finally {
    ends.unwatch();
    for (const lane of lanes) lane.client.close();
  }
}

interface Ends {
  /** The time is up: nothing further is done to the pool. */
  readonly over: AbortController;
  /** No further request is sent. */
  readonly stop: AbortController;
  /** What is under way is not waited for. */
  readonly leave: AbortController;
  readonly interrupted: boolean;
  readonly unwatch: () => void;
}

/** The first SIGINT or SIGTERM stops, the second leaves. */
function watchForEnd(): Ends {
  const [over, stop, leave] = [new AbortController(), new AbortController(), new AbortController()];
  // Each client listens, and each request.
  setMaxListeners(0, over.signal, stop.signal, leave.signal);
  let interrupted = false;
  const onSignal = (): void => {
    if (interrupted) leave.abort();
    interrupted = true;
    over.abort();
    stop.abort();
  };
  process.on("SIGINT", onSignal).on("SIGTERM", onSignal);
  return {
    over,
    stop,
    leave,
    get interrupted() {
      return interrupted;
    },
    unwatch: () => void process.off("SIGINT", onSignal).off("SIGTERM", onSignal),
  };
}

/** Waits for all; when one fails, the others are told to leave, and its error is thrown once they have. */
async function allOrNone(works: readonly Promise<void>[], { over, stop, leave }: Ends): Promise<void> {
  const results = await Promise.allSettled(
    works.map((work) =>
      work.catch((error) => {
        for (const end of [over, stop, leave]) end.abort();
        throw error;
      }),
    ),
  );
  const failure = results.find((result) => result.status === "rejected");
  if (failure !== undefined) throw failure.reason;
}

/** @returns takes the line away */
function showProgress(io: Io, tell: () => string): () => void {
  const line = progress(io);
  if (!line.shown) return () => {};
  line.update(tell());
  const timer = setInterval(() => line.update(tell()), SHOW_EVERY_MS);
  return () => {
    clearInterval(timer);
    line.done();
  };
}
