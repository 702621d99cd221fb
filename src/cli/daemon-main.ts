/** The program of the background supervisor that belongs to this command. */

import { fileURLToPath } from "node:url";

export const DAEMON_MAIN = fileURLToPath(new URL("../supervisor/main.js", import.meta.url));
