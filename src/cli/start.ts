/** `gwpm start`: starts the supervisor, in the background unless told otherwise, and returns when every pool is ready. */

import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { join } from "node:path";
import { findConfig, loadConfig } from "../config/load.ts";
import type { EffectiveConfig } from "../config/types.ts";
import { parseDuration } from "../config/units.ts";
import { OperationError } from "../control/target.ts";
import type { DaemonOrder, DaemonReport } from "../supervisor/daemon.ts";
import { DAEMON_MAIN } from "./daemon-main.ts";
import { UsageError } from "./failure.ts";
import { superviseHere } from "./foreground.ts";
import { progress } from "./progress.ts";
import type { GlobalFlags, Io, Verb } from "./verb.ts";

const DEFAULT_TIMEOUT = "60s";

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Start the supervisor. Returns when every pool is ready; otherwise says why not and leaves nothing running.",
      )
      .option("--foreground", "stay in the foreground and log to the terminal")
      .option(
        "--timeout <duration>",
        `how long to wait until every pool is ready (default: ${DEFAULT_TIMEOUT})`,
      )
      .option("--wait", "accepted; waiting is what start does")
      .addHelpText("after", "\nExamples:\n  gwpm start\n  gwpm start --foreground -c ecosystem.json");
  },

  async run(_args, flags, io) {
    const configFile = flags.config ?? findConfig(io.cwd);
    if (configFile === undefined) {
      throw new UsageError(
        `there is no ecosystem file in ${io.cwd}`,
        "`gwpm init` writes one; -c FILE names another.",
      );
    }
    const startTimeoutMs = readTimeout(flags.timeout);
    const options = { envName: flags.env, socket: flags.socket, cwd: io.cwd, processEnv: io.env };
    const load = () => loadConfig(configFile, options);
    // Read here first: a mistake in it is told before anything is touched.
    const config = await load();
    if (flags.foreground === true || !config.daemonize) return superviseHere(config, load, io);
    return startDaemon(config, flags, startTimeoutMs, io);
  },
};

async function startDaemon(
  config: EffectiveConfig,
  flags: GlobalFlags,
  startTimeoutMs: number,
  io: Io,
): Promise<number> {
  const order: DaemonOrder = {
    configFile: config.configFile!,
    envName: flags.env,
    socket: flags.socket === undefined ? undefined : config.controlSocket,
    startTimeoutMs,
  };
  const line = progress(io);
  const report = await launch(config, order, io, line.update);
  line.done();
  if (report.kind === "failed") {
    const { exitCode, message, details } = report;
    throw new OperationError("GWPM_START_FAILED", message, { exitCode, errors: details });
  }
  const pools = config.pools.map((pool) => pool.name).join(", ");
  io.stdout.write(`started (pid ${report.pid}): ${pools}\n`);
  for (const url of report.http) io.stdout.write(`  ${url}\n`);
  for (const warning of report.warnings) io.stderr.write(`warning: ${warning}\n`);
  return 0;
}

type Outcome = Exclude<DaemonReport, { kind: "progress" }>;

/** Spawns the daemon and listens to it until it is ready or has failed. */
function launch(
  config: EffectiveConfig,
  order: DaemonOrder,
  io: Io,
  onProgress: (text: string) => void,
): Promise<Outcome> {
  fs.mkdirSync(config.runDir, { recursive: true, mode: 0o711 });
  const log = join(config.runDir, "gwpm.log");
  // What does not go through the logger, such as Node's own last words.
  const output = fs.openSync(log, "a", 0o640);
  const child = spawn(process.execPath, [DAEMON_MAIN, JSON.stringify(order)], {
    cwd: io.cwd,
    env: io.env,
    detached: true,
    stdio: ["ignore", output, output, "ipc"],
  });
  fs.closeSync(output);
  return new Promise((resolve, reject) => {
    let failure: Outcome | undefined;
    child.once("error", reject);
    child.on("message", (message) => {
      const report = message as DaemonReport;
      if (report.kind === "progress") onProgress(report.text);
      else if (report.kind === "failed") failure = report;
      else {
        child.disconnect();
        child.unref();
        resolve(report);
      }
    });
    // A failure counts once the process is gone: nothing of it is then left.
    child.once("exit", (code, signal) => {
      const message = `the supervisor ended by ${signal ?? `code ${code}`} before it was ready; see ${log}`;
      resolve(failure ?? { kind: "failed", exitCode: 1, message, details: [] });
    });
  });
}

function readTimeout(value: unknown): number {
  try {
    return parseDuration(value ?? DEFAULT_TIMEOUT);
  } catch (error) {
    throw new UsageError(`start: --timeout ${(error as Error).message}`);
  }
}
