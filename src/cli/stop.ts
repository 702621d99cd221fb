/** `gwpm stop`: finishes what is active and ends the supervisor. */

import { type ControlClient, ControlError } from "../control/client.ts";
import { isRunning } from "../control/liveness.ts";
import type { StatusDocument } from "../control/messages.ts";
import { connect } from "./connect.ts";
import { CliError } from "./failure.ts";
import type { Io, Verb } from "./verb.ts";
import { showWhile, tellStop } from "./waiting.ts";

/** How long the supervisor's process may outlive its last worker. */
const EXIT_GRACE_MS = 10_000;
const LOOK_EVERY_MS = 10;

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Stop every worker and the supervisor: active requests are finished, for at most stopTimeout. " +
          "Nothing running is a success.",
      )
      .option("--fast", "do not wait for active requests")
      .addHelpText("after", "\nExample:\n  gwpm stop && gwpm start");
  },

  async run(_args, flags, io) {
    const client = await connect(flags, io);
    try {
      const pid = (await client.json<StatusDocument>("GET", "/v1/status")).supervisor.pid;
      const stopping = stop(client, { fast: flags.fast === true });
      await showWhile(
        stopping.then(() => waitForEnd(pid)),
        client,
        io,
        tellStop,
      );
      io.stdout.write(`stopped (pid ${pid})\n`);
    } catch (error) {
      if (!(error instanceof ControlError) || error.code !== "GWPM_NO_SUPERVISOR") throw error;
      tellNothingRuns(client, io);
    }
    return 0;
  },
};

/** A supervisor that ends before its answer is through has done what it was asked for; `waitForEnd` sees whether it has. */
async function stop(client: ControlClient, options: { fast: boolean }): Promise<void> {
  try {
    await client.longJson("POST", "/v1/stop", options);
  } catch (error) {
    const isCutOff = error instanceof ControlError && error.problem === null && error.cause !== undefined;
    if (!isCutOff || error.code === "GWPM_NOT_PERMITTED") throw error;
  }
}

async function waitForEnd(pid: number): Promise<void> {
  const deadline = performance.now() + EXIT_GRACE_MS;
  while (isRunning(pid)) {
    if (performance.now() > deadline) {
      throw new CliError(
        `the workers have gone, but the supervisor (pid ${pid}) has not ended after ${EXIT_GRACE_MS / 1000} s`,
        { exitCode: 7, hint: "Nothing is lost by killing it now." },
      );
    }
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
}

function tellNothingRuns(client: ControlClient, io: Io): void {
  io.stdout.write(`nothing runs for ${client.runDir}\n`);
}
