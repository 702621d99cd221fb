/** The listener's side of the control channel (SPEC §5). A supervisor that has died is no reason to stop. */

import type { DrainMessage, WorkerMessage } from "../../control/messages.ts";

/** How to treat client connections that wait for their next request. */
export type IdleConnections = DrainMessage["idle"];

/** Tells the supervisor, if there is one, that connections are being accepted. */
export function announceReady(): void {
  const message: WorkerMessage = { gwpm: "ready" };
  // Without the callback, the error of a channel that closes meanwhile would be an 'error' event on `process`.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

/** @param onDrain may be called more than once: by the channel, and by SIGTERM or SIGINT */
export function listenForDrain(onDrain: (idle: IdleConnections) => void): void {
  process.on("message", (message) => {
    if (isDrain(message)) onDrain(message.idle);
  });
  for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => onDrain("close"));
}

function isDrain(message: unknown): message is DrainMessage {
  return typeof message === "object" && message !== null && "gwpm" in message && message.gwpm === "drain";
}
