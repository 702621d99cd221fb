/** The end of a worker, in words. */

import type { ExitCause } from "./events.ts";

/** `exited with code 1 before it was ready`: what follows `worker 3 of pool "web" …`. */
export function describeExit(exit: ExitCause, code: number | null, signal: string | null): string {
  const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
  switch (exit.kind) {
    case "spawn-failed":
      return `could not be started: ${exit.error}`;
    case "start-failed":
      return `${how} before it was ready`;
    case "crashed":
      return `${how} unasked`;
    case "killed":
    case "stopped":
      if (exit.cause.kind === "start-timeout") return `was not ready within ${exit.cause.limitMs / 1_000} s`;
      return exit.kind === "stopped"
        ? `${how} as it had been asked to`
        : "did not end in time and was killed";
  }
}
