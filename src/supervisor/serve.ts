/** A supervisor from its start to its end: claims the run dir, opens the sockets, serves the control API, heeds signals. */

import { join } from "node:path";
import type { EffectiveConfig } from "../config/types.ts";
import { OperationError } from "../control/target.ts";
import { systemClock } from "../core/clock.ts";
import { Journal } from "../observe/journal.ts";
import type { DaemonOrder } from "./daemon.ts";
import { openLog } from "./log.ts";
import { journalFile } from "./office.ts";
import type { Predecessor } from "./predecessor.ts";
import { RunDir } from "./run-dir.ts";
import { Service } from "./service.ts";
import { warnOfClosedSockets } from "./socket-access.ts";
import { succeed } from "./succession.ts";
import { Supervisor } from "./supervisor.ts";
import type { Place } from "./upgrade-messages.ts";
import { Watchers } from "./watchers.ts";

/**
 * How many starts of a pool may fail before `start` gives up: a worker may come before what it depends on. In an upgrade all
 * of that is there.
 */
const FAILED_STARTS = 3;

export interface ServeOptions {
  readonly config: EffectiveConfig;
  /** Reads the configuration anew, for a reload. */
  readonly loadConfig: () => Promise<EffectiveConfig>;
  readonly version: string;
  /** In the foreground the log goes to stdout, and no pool's fault ends the supervisor. */
  readonly foreground: boolean;
  /** What the background process was started with; `null` in the foreground. */
  readonly order: DaemonOrder | null;
  /** The running supervisor to take over from; `null` where this is a start. */
  readonly predecessor: Predecessor | null;
  /** Whether a terminal is attached, whose hang-up then means stop. */
  readonly terminal: boolean;
  /** In the background: give up when not every pool is ready by then, in ms. */
  readonly startTimeoutMs: number;
  readonly reports: ServeReports;
}

export interface ServeReports {
  /** Every so often while it starts, what it waits for. */
  progress(text: string): void;
  /** Every pool is ready. */
  ready(supervisor: Supervisor): void;
  /** It gives up; what was started is still being stopped. */
  failed(error: unknown): void;
}

/**
 * Runs a supervisor until it has stopped, or has handed over and seen its workers out.
 *
 * @throws OperationError or ListenError where it cannot start; nothing that it had started is then left
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { predecessor, version } = options;
  const config = configAt(options.config, predecessor?.order.place);
  const runDir = claim(config.runDir, predecessor);
  const log = openLog(config.log, options.foreground ? null : join(config.runDir, "gwpm.log"));
  const journal = new Journal({ file: null, onWarning: (text) => log.error(undefined, text) });
  if (predecessor === null) journal.openFile(journalFile(config.runDir));
  journal.subscribe((entry) => log.event(entry));
  process.on("uncaughtExceptionMonitor", (error) =>
    log.error(error, "The supervisor failed; its workers go on serving"),
  );
  const supervisor = new Supervisor({
    config,
    version,
    runDir,
    journal,
    clock: systemClock,
    random: Math.random,
    upgrade: predecessor?.order ?? null,
  });
  supervisor.lines.follow((line) => log.line(line));
  const service = new Service(supervisor, options);
  const watchers = new Watchers(supervisor, service.reloader);
  let isStarted = false;
  service.office.onLeave(() => watchers.close());
  try {
    predecessor?.onAbandon((fast) => supervisor.stop("the supervisor that handed over", fast));
    if (predecessor === null) await service.answer();
    await supervisor.open();
    if (predecessor === null) service.office.writePidFile();
    warnOfClosedSockets(supervisor);
    service.heedSignals(() => log.reopen());
    await started(supervisor, options);
    isStarted = true;
    if (predecessor !== null) await succeed(supervisor, service, predecessor);
    await supervisor.stopped;
  } finally {
    watchers.close();
    await service.close();
    const failed = !isStarted && predecessor === null;
    runDir.release({ orphans: failed && supervisor.orphans.all.length > 0 });
  }
}

function claim(path: string, predecessor: Predecessor | null): RunDir {
  const runDir = predecessor === null ? RunDir.claim(path) : RunDir.inherit(path, predecessor.order.lockFd);
  if (runDir !== undefined) return runDir;
  throw new OperationError(
    "GWPM_ALREADY_RUNNING",
    `a supervisor already runs for ${path}; \`gwpm status\` shows it`,
  );
}

/** What takes over stays where the other was: only a stop and a start move a supervisor. */
function configAt(config: EffectiveConfig, place: Place | undefined): EffectiveConfig {
  return place === undefined ? config : { ...config, ...place };
}

/** Waits until every pool is ready. In the background, a pool that cannot start ends what was started. */
async function started(supervisor: Supervisor, options: ServeOptions): Promise<void> {
  const { foreground, predecessor, reports, startTimeoutMs } = options;
  const follow = supervisor.journal.subscribe(() => reports.progress(progressOf(supervisor)));
  const failedStarts = foreground ? Number.POSITIVE_INFINITY : predecessor === null ? FAILED_STARTS : 1;
  const pools = supervisor.run(() =>
    Promise.all([...supervisor.pools.values()].map((pool) => pool.started(failedStarts))),
  );
  const outcome = pools.then(() => {
    if (predecessor === null) reports.ready(supervisor);
  });
  if (foreground) {
    supervisor.settle();
    // Never ends for a pool's fault; a stop while it starts is no failure either.
    outcome.catch(() => {}).finally(follow);
    return;
  }
  try {
    await withinTime(outcome, startTimeoutMs, () => progressOf(supervisor));
    supervisor.settle();
  } catch (error) {
    reports.failed(error);
    // What a successor's workers have accepted, they finish: the old ones take what comes after.
    if (predecessor === null) await supervisor.giveUp("a failed start");
    else await supervisor.stop("a failed start", false);
    throw error;
  } finally {
    follow();
  }
}

function progressOf(supervisor: Supervisor): string {
  const pools = [...supervisor.pools.values()].filter((pool) => !pool.startedUp);
  const counts = pools.map((pool) => {
    const ready = [...pool.crew.workers].filter((worker) => worker.state.kind === "ready").length;
    return `${pool.name} ${ready}/${pool.wanted} ready`;
  });
  return `starting: ${counts.join(", ")}`;
}

async function withinTime(work: Promise<void>, timeoutMs: number, waitingFor: () => string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      const message = `not every pool was ready within ${timeoutMs / 1_000} s (${waitingFor()})`;
      reject(new OperationError("GWPM_START_TIMEOUT", message, { exitCode: 124 }));
    }, timeoutMs);
  });
  try {
    await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
