/** Warns of Unix sockets that no front end can reach, before somebody looks for the cause of a 502. */

import * as fs from "node:fs";
import { codeOf } from "../system/errno.ts";
import type { Supervisor } from "./supervisor.ts";

export function warnOfClosedSockets(supervisor: Supervisor): void {
  // Without a config file (`gwpm run`) there is no front end to let in.
  if (supervisor.config.configFile === null) return;
  for (const { spec } of supervisor.config.pools.map((pool) => ({ spec: pool }))) {
    for (const { address } of spec.listen) {
      if (address.kind !== "unix" || isOpenToOthers(address.path)) continue;
      const mode = (fs.statSync(address.path).mode & 0o777).toString(8).padStart(4, "0");
      const text =
        `${address.path} has mode ${mode} and gwpm's own owner and group, so only programs of gwpm's own user can connect; ` +
        `give the pool "listen": {"address": "unix:${address.path}", "group": "<the front end's group>"}`;
      supervisor.emit({ type: "warning", pool: spec.name, text });
    }
  }
}

function isOpenToOthers(path: string): boolean {
  try {
    const { mode, uid, gid } = fs.statSync(path);
    if ((mode & 0o006) === 0o006 || uid !== process.getuid?.()) return true;
    return (mode & 0o060) === 0o060 && gid !== process.getgid?.();
  } catch (error) {
    return codeOf(error) === "ENOENT";
  }
}
