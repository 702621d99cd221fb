/** The supervisor's own log, through pino; workers' lines are in it too, tagged with who wrote them. */

import pino from "pino";
import pinoPretty from "pino-pretty";
import type { EffectiveConfig } from "../config/types.ts";
import type { LogLine } from "../control/messages.ts";
import { describeEvent } from "../core/describe.ts";
import type { GwpmEvent } from "../core/events.ts";

export interface SupervisorLog {
  event(event: GwpmEvent): void;
  line(line: LogLine): void;
  error(error: unknown, what: string): void;
  /** Opens the file anew, after logrotate(8) has renamed it. */
  reopen(): void;
}

/** @param toTerminal write to stdout unless the config names a file */
export function openLog(config: EffectiveConfig["log"], fallback: string | null): SupervisorLog {
  const file = config.file ?? fallback;
  const destination = pino.destination({ dest: file ?? 1, sync: true, mkdir: true, mode: 0o640 });
  const options = { level: config.level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  const log =
    config.format === "json" ? pino(options, destination) : pino(options, pretty(destination, file === null));
  return {
    event: (event) => {
      // The logger has a time of its own.
      const { at: _, ...fields } = event;
      log[levelOf(event)](fields, describeEvent(event));
    },
    line: ({ pool, slot, stream, line }) => log.info({ pool, slot, stream }, line),
    error: (error, what) => log.error({ err: error }, what),
    reopen: () => {
      if (file !== null) destination.reopen(file);
    },
  };
}

/** `12:00:01.123 WARN  Worker 2 of pool "web" …`, and `12:00:01.123 INFO  web:2 …` for what a worker printed. */
function pretty(destination: pino.DestinationStream, terminal: boolean): pino.DestinationStream {
  return pinoPretty({
    destination,
    sync: true,
    colorize: terminal && process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
    translateTime: "SYS:HH:MM:ss.l",
    hideObject: true,
    ignore: "pid",
    messageFormat: (record, key) => {
      const text = String(record[key]);
      return record.stream === undefined ? text : `${record.pool}:${record.slot} ${text}`;
    },
  });
}

function levelOf(event: GwpmEvent): "debug" | "info" | "warn" | "error" {
  switch (event.type) {
    case "worker-starting":
    case "worker-ready":
    case "worker-draining":
    case "worker-backoff":
    case "listener-opened":
    case "listener-closed":
      return "debug";
    case "worker-exited":
      return event.cause.kind === "stopped" && event.cause.cause.kind !== "start-timeout" ? "debug" : "warn";
    case "worker-killing":
    case "warning":
      return "warn";
    case "pool-degraded":
    case "config-rejected":
    case "supervisor-upgrade-failed":
      return "error";
    case "reload-finished":
      return event.result === "ok" ? "info" : "error";
    default:
      return "info";
  }
}
