/** Time as an argument: what `core` and its callers read instead of the globals, so that tests can own it. */

export interface Clock {
  /** Milliseconds since the epoch, for people and files. */
  now(): number;
  /** Milliseconds from an arbitrary start that never goes back, for durations and deadlines. */
  monotonic(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
};
