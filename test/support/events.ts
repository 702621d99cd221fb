/** Follows a supervisor's journal over its control socket: what tests wait for instead of sleeping. */

import { type ClientRequest, type IncomingMessage, request } from "node:http";
import type { GwpmEvent, JournalEntry } from "../../src/core/events.ts";
import { Lines } from "./lines.ts";
import { DEFAULT_DEADLINE_MS } from "./wait.ts";

/** The fields that an event must have, such as `{ type: "worker-ready", slot: 1 }`; nested objects by part. */
export type EventPattern<T extends GwpmEvent["type"] = GwpmEvent["type"]> = { readonly type: T } & {
  readonly [field: string]: unknown;
};

type EventOf<T extends GwpmEvent["type"]> = Extract<JournalEntry, { type: T }>;

export class EventFeed {
  readonly #request: ClientRequest;
  readonly #lines: Lines;

  private constructor(clientRequest: ClientRequest, response: IncomingMessage) {
    this.#request = clientRequest;
    this.#lines = new Lines(response);
  }

  /** Follows from the journal's beginning. @throws Error when nobody listens there */
  static async open(controlSocket: string): Promise<EventFeed> {
    return new Promise((resolve, reject) => {
      const clientRequest = request({
        socketPath: controlSocket,
        path: "/v1/events?follow=1&since=0",
        headers: { host: "gwpm" },
      });
      clientRequest.once("response", (response) => {
        if (response.statusCode === 200) resolve(new EventFeed(clientRequest, response));
        else reject(new Error(`GET /v1/events was answered with ${response.statusCode}`));
      });
      clientRequest.once("error", reject);
      clientRequest.end();
    });
  }

  /** Every event so far. */
  get all(): readonly JournalEntry[] {
    return this.#lines.all.map((line) => JSON.parse(line) as JournalEntry);
  }

  /** The number of the newest event: take it before an action, to wait for what the action brings. */
  get mark(): number {
    return this.all.at(-1)?.seq ?? 0;
  }

  /** The events so far that match. */
  select<T extends GwpmEvent["type"]>(pattern: EventPattern<T>): EventOf<T>[] {
    return this.all.filter((entry): entry is EventOf<T> => matches(entry, pattern));
  }

  /**
   * The first event, past or to come, that matches.
   *
   * @param after a {@link mark}; only newer events count
   */
  async waitFor<T extends GwpmEvent["type"]>(
    pattern: EventPattern<T>,
    { after = -1, deadlineMs = DEFAULT_DEADLINE_MS }: { after?: number; deadlineMs?: number } = {},
  ): Promise<EventOf<T>> {
    const line = await this.#lines.waitFor(
      (text) => {
        const entry = JSON.parse(text) as JournalEntry;
        return entry.seq > after && matches(entry, pattern);
      },
      { what: `the event ${JSON.stringify(pattern)}`, deadlineMs },
    );
    return JSON.parse(line) as EventOf<T>;
  }

  close(): void {
    this.#request.destroy();
  }
}

function matches(value: unknown, pattern: unknown): boolean {
  if (typeof pattern !== "object" || pattern === null) return Object.is(value, pattern);
  if (typeof value !== "object" || value === null) return false;
  return Object.entries(pattern).every(([key, part]) =>
    matches((value as Record<string, unknown>)[key], part),
  );
}
