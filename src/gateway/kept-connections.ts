/** Connections that wait for the next request. The latest one in is the first one out, so that a burst's spare ones grow old and go. */

import type { Socket } from "node:net";

interface Kept {
  readonly socket: Socket;
  readonly timer: NodeJS.Timeout;
  readonly discard: () => void;
}

export class KeptConnections {
  readonly #kept: Kept[] = [];
  readonly #keptMs: number;
  readonly #most: number;

  /**
   * @param keptMs how long a connection waits at most
   * @param most connections kept at a time; more are closed
   */
  constructor(keptMs: number, most: number) {
    this.#keptMs = keptMs;
    this.#most = most;
  }

  get size(): number {
    return this.#kept.length;
  }

  /** A connection that was alive when we last heard of it; it may be gone all the same. */
  take(): Socket | undefined {
    const kept = this.#kept.pop();
    if (kept === undefined) return undefined;
    this.#release(kept);
    return kept.socket;
  }

  /** Keeps a connection that has nothing under way. */
  keep(socket: Socket): void {
    if (socket.destroyed || this.#kept.length >= this.#most) {
      socket.destroy();
      return;
    }
    // Bytes that nobody asked for make the next response unreadable; the end of the stream means "not again".
    const discard = (): void => {
      this.#release(kept);
      this.#kept.splice(this.#kept.indexOf(kept), 1);
      socket.on("error", () => {});
      socket.destroy();
    };
    const kept: Kept = { socket, discard, timer: setTimeout(discard, this.#keptMs) };
    kept.timer.unref();
    socket.once("data", discard).once("end", discard).once("error", discard).once("close", discard);
    socket.resume();
    socket.unref();
    this.#kept.push(kept);
  }

  /** Closes them all. */
  clear(): void {
    while (this.#kept.length > 0) this.#kept.at(-1)!.discard();
  }

  #release({ socket, timer, discard }: Kept): void {
    clearTimeout(timer);
    socket.off("data", discard).off("end", discard).off("error", discard).off("close", discard);
    socket.ref();
  }
}
