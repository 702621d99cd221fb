/** Signals to worker process groups. Each worker leads a group of its own, so a signal reaches what it has started too. */

import { codeOf } from "./errno.ts";

/** @returns false where there is no such process any more */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  return send(pid, signal);
}

/** @returns false where the group has no process any more */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  return send(-pid, signal);
}

function send(target: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    if (codeOf(error) === "ESRCH") return false;
    throw error;
  }
}
