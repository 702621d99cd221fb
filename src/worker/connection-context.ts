/** What all connections of a worker's wire server share. */

import type { WorkerOptions } from "../control/messages.ts";
import type { RoleName } from "../protocol/fastcgi/session.ts";
import { ConnectionClock } from "./connection-clock.ts";
import { TurnFlusher } from "./connection-flusher.ts";
import type { ExchangeHandler } from "./exchange.ts";
import type { Handover } from "./handover.ts";

/** Is told of each request that reaches a handler; the scoreboard is one. Must not throw. */
export interface RequestObserver {
  /** @returns handed back to `requestEnded` */
  requestStarted(method: string, uri: string): number;
  /**
   * @param status 0 where no head was set
   * @param brokenOff the worker sent no complete response, by its own fault; false where the front end went away
   */
  requestEnded(token: number, status: number, brokenOff: boolean): void;
}

export interface ConnectionSettings {
  readonly handler: ExchangeHandler;
  readonly wire: WorkerOptions["wire"];
  /** Which FastCGI roles have a handler. @default ["responder"] */
  readonly roles?: readonly RoleName[];
  /** How long a connection may wait for its next request, in ms; `null` = for ever. */
  readonly idleConnectionMs: number | null;
  readonly observer?: RequestObserver | undefined;
  /** How to give connections to other workers, where that is possible. */
  readonly handover?: Handover | undefined;
  /** Receives one line about a peer that does not speak the protocol. @default stderr */
  readonly log?: (line: string) => void;
}

/** The settings with what is made once per server. */
export class ConnectionContext {
  readonly handler: ExchangeHandler;
  readonly wire: WorkerOptions["wire"];
  readonly roles: readonly RoleName[];
  readonly observer: RequestObserver | null;
  readonly handover: Handover | null;
  readonly log: (line: string) => void;
  readonly clock: ConnectionClock;
  readonly flusher = new TurnFlusher();

  constructor(settings: ConnectionSettings) {
    this.handler = settings.handler;
    this.wire = settings.wire;
    this.roles = settings.roles ?? ["responder"];
    this.observer = settings.observer ?? null;
    this.handover = settings.handover ?? null;
    this.log = settings.log ?? ((line) => process.stderr.write(`${line}\n`));
    this.clock = new ConnectionClock(settings.idleConnectionMs);
  }
}
