/** The background supervisor's process: what `gwpm start` spawns, and how the two talk until the pools are ready. */

import { loadConfig } from "../config/load.ts";
import { ConfigError } from "../config/types.ts";
import { OperationError } from "../control/target.ts";
import { gwpmVersion } from "../gateway/http/version.ts";
import { Predecessor } from "./predecessor.ts";
import { serve } from "./serve.ts";
import type { UpgradeOrder } from "./upgrade-messages.ts";

/** What `gwpm start` hands over, as JSON in the first argument. */
export interface DaemonOrder {
  readonly configFile: string;
  readonly envName: string | undefined;
  readonly socket: string | undefined;
  readonly startTimeoutMs: number;
  /** In an upgrade: what a running supervisor hands over to this one. */
  readonly upgrade?: UpgradeOrder;
}

/** What comes back over the IPC channel, until it is ready. */
export type DaemonReport =
  | { readonly kind: "progress"; readonly text: string }
  | {
      readonly kind: "ready";
      readonly pid: number;
      readonly http: readonly string[];
      readonly warnings: readonly string[];
    }
  | {
      readonly kind: "failed";
      readonly exitCode: number;
      readonly message: string;
      readonly details: readonly string[];
    };

export async function runDaemon(order: DaemonOrder): Promise<number> {
  const { upgrade, ...plainOrder } = order;
  const load = () => loadConfig(order.configFile, { envName: order.envName, socket: order.socket });
  try {
    await serve({
      predecessor: upgrade === undefined ? null : new Predecessor(upgrade),
      order: plainOrder,
      config: await load(),
      loadConfig: load,
      version: gwpmVersion(),
      foreground: false,
      terminal: false,
      startTimeoutMs: order.startTimeoutMs,
      reports: {
        progress: (text) => report({ kind: "progress", text }),
        ready: (supervisor) => {
          const http = [...supervisor.httpUrls()].map(([pool, url]) => `${pool}: ${url}`);
          report({ kind: "ready", pid: process.pid, http, warnings: supervisor.warnings() });
          if (process.connected) process.disconnect();
        },
        failed: (error) => report(failureOf(error)),
      },
    });
    return 0;
  } catch (error) {
    const failure = failureOf(error);
    report(failure);
    return failure.exitCode;
  }
}

/** To whoever started us, if they still listen. */
function report(message: DaemonReport): void {
  if (process.connected) process.send?.(message, undefined, {}, () => {});
}

function failureOf(error: unknown): Extract<DaemonReport, { kind: "failed" }> {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof OperationError)
    return { kind: "failed", exitCode: error.exitCode, message, details: error.errors };
  if (error instanceof ConfigError) {
    return {
      kind: "failed",
      exitCode: 78,
      message,
      details: error.issues.map((issue) => `${issue.path}: ${issue.message}`),
    };
  }
  return { kind: "failed", exitCode: 1, message, details: [] };
}
