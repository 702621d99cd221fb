/** Where a supervisor keeps its files: the run dir and what lies in it. */

import { isAbsolute, join, resolve } from "node:path";
import type { Host } from "./host.ts";

export interface Locations {
  readonly runDir: string;
  readonly controlSocket: string;
  readonly pidFile: string;
}

type Variables = Readonly<Record<string, string | undefined>>;

/**
 * The run dir where no configuration names one: `$GWPM_HOME`, else `/run/gwpm` for root, else `$XDG_RUNTIME_DIR/gwpm`,
 * else `~/.gwpm/run`. An empty variable counts as unset, and so does a relative `$XDG_RUNTIME_DIR` (XDG base directories §4).
 */
export function defaultRunDir(variables: Variables, host: Host, cwd: string): string {
  if (variables.GWPM_HOME) return resolve(cwd, variables.GWPM_HOME);
  if (host.uid === 0) return "/run/gwpm";
  if (isAbsolute(variables.XDG_RUNTIME_DIR ?? "")) return join(variables.XDG_RUNTIME_DIR!, "gwpm");
  return join(variables.HOME || host.home, ".gwpm", "run");
}

/** Fills in what was not chosen. */
export function locationsIn(
  runDir: string,
  chosen: { controlSocket?: string | undefined; pidFile?: string | undefined } = {},
): Locations {
  return {
    runDir,
    controlSocket: chosen.controlSocket ?? join(runDir, "control.sock"),
    pidFile: chosen.pidFile ?? join(runDir, "gwpm.pid"),
  };
}
