/**
 * One worker per process, however many copies of this package it has loaded: the app's own and the supervisor's would otherwise each
 * believe themselves alone. The copy that came first serves.
 */

import type { ServeFunction } from "./serve.ts";

const KEY = Symbol.for("gwpm.worker");

export interface SharedWorker {
  /** Of this object, so that a later version knows what it finds. */
  readonly version: 1;
  readonly serve: ServeFunction;
  /** True once `serve` has been called. */
  served: boolean;
}

/** @param serve the implementation of the calling copy, used where there is none yet */
export function sharedWorker(serve: ServeFunction): SharedWorker {
  const global = globalThis as { [KEY]?: SharedWorker };
  global[KEY] ??= { version: 1, serve, served: false };
  return global[KEY];
}
