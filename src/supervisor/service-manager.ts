/** Whether this process may end although the service goes on: an upgrade gives the service another process. */

import { execFile } from "node:child_process";
import * as fs from "node:fs";
import { promisify } from "node:util";

/** What has to do with who started us, and what they would take our end for. */
export interface Standing {
  readonly foreground: boolean;
  readonly pid: number;
  /** The systemd unit of type service that we are the main process of. */
  readonly unit: { readonly name: string; readonly pidFile: string } | null;
  /** Our own. */
  readonly pidFile: string;
}

/** @returns why the process must not end, and what to do instead, in a sentence; `null` where it may */
export function whyMustStay({ foreground, pid, unit, pidFile }: Standing): string | null {
  if (pid === 1) {
    return "it is process 1, whose end is the end of the container; start a container of the new version instead";
  }
  if (foreground) {
    return "it runs in the foreground, and whoever started it would take its end for the end of the service; start it with `gwpm start` in the background, or stop it and start it again";
  }
  // systemd reads the PIDFile= anew when a main process ends, and finds the new one there (systemd.service(5), Type=forking).
  if (unit !== null && unit.pidFile !== pidFile) {
    return `it is the main process of ${unit.name}, and systemd would take its end for the end of the service; set PIDFile=${pidFile} with Type=forking in the unit, or use \`systemctl restart ${unit.name}\``;
  }
  return null;
}

/** Looks at how things are. */
export async function standing(foreground: boolean, pidFile: string): Promise<Standing> {
  return { foreground, pid: process.pid, unit: await unitOfMainProcess(), pidFile };
}

async function unitOfMainProcess(): Promise<Standing["unit"]> {
  const found = serviceOf(readCgroup());
  // Set for everything that systemd starts; without it, the cgroup only tells where our starter was (a cron job, say).
  if (found === null || process.env.INVOCATION_ID === undefined) return null;
  const user = found.user ? ["--user"] : [];
  try {
    const { stdout } = await promisify(execFile)(
      "systemctl",
      [...user, "show", "--property=MainPID,PIDFile", found.name],
      { timeout: 5_000 },
    );
    const value = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(stdout)?.[1] ?? "";
    return Number(value("MainPID")) === process.pid ? { name: found.name, pidFile: value("PIDFile") } : null;
  } catch {
    // Nobody to ask: assume the worse.
    return { name: found.name, pidFile: "" };
  }
}

/** The service that a process is in, from `/proc/<pid>/cgroup`; `null` where it is in none (a login session, a container). */
export function serviceOf(cgroup: string): { readonly name: string; readonly user: boolean } | null {
  // cgroup v2 has one line, `0::/system.slice/web.service`; v1 has systemd's own hierarchy among others.
  const line = /^(?:0:|\d+:name=systemd):(.*)$/m.exec(cgroup)?.[1];
  const name = line?.split("/").at(-1);
  if (line === undefined || name === undefined || !name.endsWith(".service")) return null;
  return { name, user: /\/user@\d+\.service\//.test(line) };
}

function readCgroup(): string {
  try {
    return fs.readFileSync("/proc/self/cgroup", "utf8");
  } catch {
    return "";
  }
}
