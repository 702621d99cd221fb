/**
 * The worker's part in the hand-over of connections: gives its own away at request boundaries, to the supervisor, which passes them on unread;
 * adopts those of other workers.
 */

import type { Socket } from "node:net";
import type { HandOverMessage } from "../control/messages.ts";

/** The raw handle below a `net.Socket`. Sent as it is, it reads nothing in the receiving process until that wants it to. */
export interface ConnectionHandle {
  readStop(): unknown;
  readStart(): unknown;
}

/** The part of `process` that is used. */
export interface Channel {
  readonly connected: boolean;
  send?(
    message: HandOverMessage,
    handle: unknown,
    options: undefined,
    written: (error: Error | null) => void,
  ): unknown;
  on(event: "message", listener: (message: unknown, handle: unknown) => void): unknown;
  on(event: "disconnect", listener: () => void): unknown;
}

/** `gone`: another worker has the connection, or the supervisor has taken it to its grave; `back`: it is ours as before. */
export type Outcome = "gone" | "back";

interface Given {
  readonly handle: ConnectionHandle;
  readonly settle: (outcome: Outcome) => void;
  /** True once it has left this process. */
  sent: boolean;
}

export class Handover {
  readonly #channel: Channel;
  /** By the number that we gave it. */
  readonly #given = new Map<number, Given>();
  #nextId = 1;

  constructor(channel: Channel = process as Channel) {
    this.#channel = channel;
    channel.on("disconnect", () => this.#disconnected());
  }

  /** Whether there is anybody to give a connection to. */
  get possible(): boolean {
    return this.#channel.connected && this.#channel.send !== undefined;
  }

  /**
   * Stops reading and gives the connection away. `settle` is called later; until then nothing must be read from the socket or written to it.
   *
   * @returns false where it is not possible
   */
  give(socket: Socket, settle: (outcome: Outcome) => void): boolean {
    const { _handle: handle } = socket as unknown as { _handle: ConnectionHandle | null };
    if (!this.possible || handle === null) return false;
    handle.readStop();
    const id = this.#nextId++;
    const given: Given = { handle, settle, sent: false };
    this.#given.set(id, given);
    this.#channel.send!({ gwpm: "connection", id }, handle, undefined, (error) => {
      given.sent = true;
      if (error !== null) this.#settle(id, "back");
    });
    return true;
  }

  /**
   * Hears what the supervisor says of connections.
   *
   * @param mayAdopt whether this worker takes connections now
   * @param adopt takes one and reads from it
   */
  listen(mayAdopt: () => boolean, adopt: (handle: ConnectionHandle) => void): void {
    this.#channel.on("message", (message, handle) => {
      const { gwpm, id } = (message ?? {}) as Partial<HandOverMessage>;
      if (id === undefined) return;
      if (gwpm === "adopted") this.#settle(id, "gone");
      else if (gwpm === "declined") this.#settle(id, "back");
      else if (gwpm === "connection" && handle) {
        const answer = mayAdopt() ? "adopted" : "declined";
        // Not read before the answer is on its way: should we die first, the supervisor may give the connection to another worker.
        this.#channel.send?.({ gwpm: answer, id }, undefined, undefined, () => {
          if (answer === "adopted") adopt(handle as ConnectionHandle);
          else (handle as { close?(): void }).close?.();
        });
      }
    });
  }

  #settle(id: number, outcome: Outcome): void {
    const given = this.#given.get(id);
    if (given === undefined) return;
    this.#given.delete(id);
    if (outcome === "back") given.handle.readStart();
    given.settle(outcome);
  }

  /** To be called now and then while a connection is given away: Node says no 'disconnect' where a handle was on its way. */
  check(): void {
    if (!this.possible) this.#disconnected();
  }

  /**
   * The supervisor has died. What has been sent may have a new owner by now, and two readers would tear requests apart: so it is let go.
   * What still waited to be sent is ours.
   */
  #disconnected(): void {
    for (const [id, { sent }] of [...this.#given]) this.#settle(id, sent ? "gone" : "back");
  }
}
