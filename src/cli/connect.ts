/** Finds the supervisor that the command line means. */

import { dirname } from "node:path";
import { resolveLocations } from "../config/resolve-locations.ts";
import { ControlClient } from "../control/client.ts";
import type { GlobalFlags, Io } from "./verb.ts";

/**
 * Nothing is sent yet: whether somebody answers shows with the first request.
 *
 * @throws ConfigError where the config file leaves open which supervisor is meant
 */
export async function connect(flags: GlobalFlags, io: Io): Promise<ControlClient> {
  const { runDir, controlSocket } = await resolveLocations(flags.config, {
    cwd: io.cwd,
    processEnv: io.env,
    socket: flags.socket,
  });
  // A socket that was named says more about its supervisor than the run dir of a config that is not.
  return new ControlClient(controlSocket, {
    runDir: flags.socket === undefined ? runDir : dirname(controlSocket),
  });
}
