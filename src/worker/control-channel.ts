/** The worker's end of the control channel (SPEC §5). A supervisor that has died is no reason to stop, or to fail, here. */

import type { DrainMessage, WorkerMessage } from "../control/messages.ts";

/** @param handOver whether this worker takes part in the hand-over of connections */
export function announceReady(handOver: boolean): void {
  send(handOver ? { gwpm: "ready", handOver } : { gwpm: "ready" });
}

let recycleAsked = false;

/** Asks to be replaced, once; a worker that nobody supervises has nobody to ask. */
export function askForRecycle(reason: string): void {
  if (recycleAsked) return;
  recycleAsked = true;
  send({ gwpm: "recycle", reason });
}

/** Says that it has served its requests; the caller says so once. */
export function reportMaxRequests(): void {
  send({ gwpm: "max-requests" });
}

/** Calls `onDrain` when the supervisor asks to drain. Other messages on the channel are the app's own. */
export function listenForDrain(onDrain: (message: DrainMessage) => void): void {
  if (process.send === undefined) return;
  process.on("message", (message: unknown) => {
    if (isDrain(message)) onDrain(message);
  });
}

function isDrain(message: unknown): message is DrainMessage {
  return typeof message === "object" && message !== null && (message as { gwpm?: unknown }).gwpm === "drain";
}

function send(message: WorkerMessage): void {
  // The callback takes the error of a channel that closes meanwhile; without one it would be an 'error' event on `process`.
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
