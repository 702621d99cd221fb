/** `gwpm upgrade`: a new supervisor, of the version that this command belongs to, takes over; no request is lost. */

import type { StatusDocument, UpgradeVerdict } from "../control/messages.ts";
import { humanDuration } from "../core/format.ts";
import { connect } from "./connect.ts";
import { DAEMON_MAIN } from "./daemon-main.ts";
import { printJson } from "./output.ts";
import type { Verb } from "./verb.ts";
import { showWhile } from "./waiting.ts";

export const verb: Verb = {
  define(command) {
    command
      .description(
        "Hand over to a new supervisor of the installed version. It takes over the sockets once its workers are " +
          "ready; the old workers finish what is active. If it fails to start, the old supervisor goes on.",
      )
      .option("--json", "print the verdict as one JSON document")
      .addHelpText(
        "after",
        "\nNot for supervisors in the foreground: whoever started them would take their end for a failure.\n\n" +
          "Example:\n  npm install -g gwpm@latest && gwpm upgrade",
      );
  },

  async run(_args, flags, io) {
    const client = await connect(flags, io);
    // The command's own Node and program: the running supervisor may know neither the new place nor the new Node.
    const program = { node: process.execPath, main: DAEMON_MAIN };
    const work = client.longJson<UpgradeVerdict>("POST", "/v1/upgrade", program);
    const verdict = await showWhile(work, client, io, tellUpgrade);
    if (flags.json === true) printJson(io, verdict);
    else {
      const { from, to, tookMs } = verdict;
      io.stdout.write(
        `upgraded in ${humanDuration(tookMs)}: ${to.version} (pid ${to.pid}) took over from ${from.version} (pid ${from.pid}), ` +
          "whose workers finish what is active\n",
      );
    }
    return 0;
  },
};

function tellUpgrade({ supervisor }: StatusDocument): string {
  return `upgrading: ${supervisor.upgrade || "waiting for the new supervisor"}`;
}
