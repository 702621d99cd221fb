/** Signals to worker process groups. Each worker leads a group of its own, so a signal reaches what it has started too. */

import { codeOf } from "./errno.ts";

/** @returns false where there is no such process (any more) that we may signal */
export function signalProcess(pid: number, signal: NodeJS.Signals): boolean {
  return send(pid, signal);
}

/** @returns false where the group has no process (any more) that we may signal */
export function signalGroup(pid: number, signal: NodeJS.Signals): boolean {
  return send(-pid, signal);
}

function send(target: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(target, signal);
    return true;
  } catch (error) {
    // EPERM: what is left of the group has taken another user's identity; it is not ours to end.
    if (codeOf(error) === "ESRCH" || codeOf(error) === "EPERM") return false;
    throw error;
  }
}
