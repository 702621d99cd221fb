/** Entry of the background supervisor's process. */

import { type DaemonOrder, runDaemon } from "./daemon.ts";

process.title = "gwpm: supervisor";
// Whatever folder `gwpm start` was given in need not stay mounted for us.
process.chdir("/");
process.exitCode = await runDaemon(JSON.parse(process.argv[2] ?? "{}") as DaemonOrder);
// Whatever is still open, such as the channel to a `gwpm start` that waits no more, must not keep us.
process.exit();
