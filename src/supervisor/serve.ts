/** A supervisor from its start to its end: claims the run dir, opens the sockets, serves the control API, heeds signals. */

import * as fs from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import type { EffectiveConfig } from "../config/types.ts";
import { createControlServer } from "../control/server.ts";
import { OperationError } from "../control/target.ts";
import { systemClock } from "../core/clock.ts";
import { Journal } from "../observe/journal.ts";
import { openListener } from "../system/sockets.ts";
import { SupervisorControl } from "./control.ts";
import { openLog } from "./log.ts";
import { Reloader } from "./reload.ts";
import { RunDir } from "./run-dir.ts";
import { heedSignals } from "./signals.ts";
import { warnOfClosedSockets } from "./socket-access.ts";
import { StatusReporter } from "./status.ts";
import { Supervisor } from "./supervisor.ts";
import { Watchers } from "./watchers.ts";

/** How many starts of a pool may fail before `start` gives up: a worker may come before what it depends on. */
const FAILED_STARTS = 3;

export interface ServeOptions {
  readonly config: EffectiveConfig;
  /** Reads the configuration anew, for a reload. */
  readonly loadConfig: () => Promise<EffectiveConfig>;
  readonly version: string;
  /** In the foreground the log goes to stdout, and no pool's fault ends the supervisor. */
  readonly foreground: boolean;
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
}

/**
 * Runs a supervisor until it has stopped.
 *
 * @throws OperationError or ListenError where it cannot start; nothing that it had started is then left
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { config } = options;
  const runDir = RunDir.claim(config.runDir);
  if (runDir === undefined) {
    throw new OperationError(
      "GWPM_ALREADY_RUNNING",
      `a supervisor already runs for ${config.runDir}; \`gwpm status\` shows it`,
    );
  }
  const log = openLog(config.log, options.foreground ? null : join(config.runDir, "gwpm.log"));
  const journal = new Journal({
    file: join(config.runDir, "journal.ndjson"),
    onWarning: (text) => log.error(undefined, text),
  });
  journal.subscribe((entry) => log.event(entry));
  process.on("uncaughtExceptionMonitor", (error) =>
    log.error(error, "The supervisor failed; its workers go on serving"),
  );
  const { version } = options;
  const supervisor = new Supervisor({
    config,
    version,
    runDir,
    journal,
    clock: systemClock,
    random: Math.random,
  });
  supervisor.lines.follow((line) => log.line(line));
  let api: ControlApi | undefined;
  let watchers: Watchers | undefined;
  try {
    api = await ControlApi.open(supervisor, options.loadConfig);
    watchers = new Watchers(supervisor, api.reloader);
    await supervisor.open();
    fs.writeFileSync(config.pidFile, `${process.pid}\n`, { mode: 0o600 });
    warnOfClosedSockets(supervisor);
    heedSignals(supervisor, api.reloader, () => log.reopen(), options);
    await started(supervisor, options);
    await supervisor.stopped;
  } finally {
    // The answer to the operator who asked for the stop is on its way; what follows must not cut it off.
    await new Promise((resolve) => setImmediate(resolve));
    watchers?.close();
    api?.close();
    journal.flushSync();
    fs.rmSync(config.pidFile, { force: true });
    runDir.release();
  }
}

/** The control socket and what answers on it. */
class ControlApi {
  readonly reloader: Reloader;
  readonly #reporter: StatusReporter;
  readonly #path: string;
  readonly #server: Server;

  private constructor(supervisor: Supervisor, loadConfig: () => Promise<EffectiveConfig>) {
    this.#path = supervisor.config.controlSocket;
    this.reloader = new Reloader(supervisor, loadConfig);
    this.#reporter = new StatusReporter(supervisor);
    const target = new SupervisorControl(supervisor, this.reloader, this.#reporter);
    this.#server = createControlServer(target, { version: supervisor.version });
  }

  static async open(supervisor: Supervisor, loadConfig: () => Promise<EffectiveConfig>): Promise<ControlApi> {
    const api = new ControlApi(supervisor, loadConfig);
    // Whoever may write to this socket commands the supervisor: nobody but its own user.
    const { fd } = await openListener({ kind: "unix", path: api.#path }, { backlog: 128, mode: 0o600 });
    await new Promise<void>((resolve) => api.#server.listen({ fd }, resolve));
    return api;
  }

  close(): void {
    this.#reporter.close();
    this.#server.close();
    this.#server.closeAllConnections();
    fs.rmSync(this.#path, { force: true });
  }
}

/** Waits until every pool is ready. In the background, a pool that cannot start ends what was started. */
async function started(supervisor: Supervisor, options: ServeOptions): Promise<void> {
  const { foreground, reports, startTimeoutMs } = options;
  const follow = supervisor.journal.subscribe(() => reports.progress(progressOf(supervisor)));
  const failedStarts = foreground ? Number.POSITIVE_INFINITY : FAILED_STARTS;
  const pools = supervisor.run(() =>
    Promise.all([...supervisor.pools.values()].map((pool) => pool.started(failedStarts))),
  );
  const outcome = pools.then(() => reports.ready(supervisor));
  if (foreground) {
    // Never ends for a pool's fault; a stop while it starts is no failure either.
    outcome.catch(() => {}).finally(follow);
    return;
  }
  try {
    await withinTime(outcome, startTimeoutMs, () => progressOf(supervisor));
  } catch (error) {
    await supervisor.stop("a failed start", true);
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
