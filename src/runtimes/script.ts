/** `script`: a Node module, imported and served by gwpm's worker runtime. */

import { fileURLToPath } from "node:url";
import type { Program } from "../config/types.ts";
import type { Launch } from "./launch.ts";

const WORKER_MAIN = fileURLToPath(new URL("../worker/main.js", import.meta.url));

export function launchScript(program: Program): Launch {
  return {
    command: process.execPath,
    args: [...program.nodeArgs, WORKER_MAIN, program.file, ...program.args],
    env: {},
    eventLoop: true,
  };
}
