/** Lets the request and the response of the fast lane both hear of an abort, for which an exchange has one listener. */

import type { Exchange } from "./exchange.ts";

export function whenAborted(exchange: Exchange, action: () => void): void {
  const { onAbort } = exchange;
  if (onAbort === null) {
    exchange.onAbort = action;
    return;
  }
  exchange.onAbort = () => {
    onAbort();
    action();
  };
}
