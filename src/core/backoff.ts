/** Crash loops: how long a pool waits before it starts a worker again, and when it calls itself degraded. */

/** Times are monotonic milliseconds. */
export interface Backoff {
  /** Ends in a row that came before, or too soon after, readiness. */
  readonly failures: number;
  /** No start before this time. */
  readonly retryAt: number;
  /** Set by a crash before readiness: one start at a time until a worker gets ready. */
  readonly trial: boolean;
  /** When workers ended unasked, within the policy's window. */
  readonly crashes: readonly number[];
}

export interface BackoffPolicy {
  readonly minMs: number;
  readonly maxMs: number;
  readonly degradedAfter: number;
  readonly windowMs: number;
}

/** A worker that was ready for as long as this has not failed to start, whatever ended it. */
export const STABLE_AFTER_MS = 500;

/** ±20 %, so that pools which failed together do not retry together. */
const JITTER = 0.2;

/** More are not remembered; no policy asks for as many. */
const MOST_CRASHES = 1_000;

export const calm: Backoff = { failures: 0, retryAt: 0, trial: false, crashes: [] };

/**
 * A worker ended without having been asked to.
 *
 * One that had been ready is made good at once, unless it had hardly been so and such crashes pile up. What cannot even
 * start, or piles up, waits `minMs`, twice that, and so on up to `maxMs`.
 *
 * @param readyForMs how long it had been ready; `null` where it never was
 * @param random uniform in [0, 1)
 */
export function afterCrash(
  backoff: Backoff,
  policy: BackoffPolicy,
  readyForMs: number | null,
  now: number,
  random: number,
): Backoff {
  const crashes = [...backoff.crashes.filter((at) => now - at < policy.windowMs), now].slice(-MOST_CRASHES);
  const forgiven =
    readyForMs !== null && (readyForMs >= STABLE_AFTER_MS || crashes.length < policy.degradedAfter);
  if (forgiven) return { ...calm, crashes };
  const failures = backoff.failures + 1;
  const delay = Math.min(policy.maxMs, policy.minMs * 2 ** Math.min(failures - 1, 30));
  const jittered = delay * (1 - JITTER + 2 * JITTER * random);
  return {
    failures,
    retryAt: Math.max(backoff.retryAt, now + jittered),
    trial: readyForMs === null,
    crashes,
  };
}

/** A worker got ready. It has yet to stay so before the failures are forgiven (see {@link afterCrash}). */
export function afterReady(backoff: Backoff): Backoff {
  return backoff.trial ? { ...backoff, trial: false } : backoff;
}

/** @returns whether so much has gone wrong of late that the pool should say so */
export function isDegraded(backoff: Backoff, policy: BackoffPolicy, now: number): boolean {
  if (backoff.trial && backoff.failures >= policy.degradedAfter) return true;
  return backoff.crashes.filter((at) => now - at < policy.windowMs).length >= policy.degradedAfter;
}

/** When {@link isDegraded} may turn false without anything happening; Infinity where it cannot. */
export function degradedUntil(backoff: Backoff, policy: BackoffPolicy): number {
  const decisive = backoff.crashes.at(-policy.degradedAfter);
  return decisive === undefined ? Number.POSITIVE_INFINITY : decisive + policy.windowMs;
}
