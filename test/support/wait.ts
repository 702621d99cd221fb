/** Waiting for facts under a deadline. Nothing here, and no test, sleeps for a fixed time. */

import { setTimeout as delay } from "node:timers/promises";

/** Generous: it is only ever spent by a test that fails, and CI machines are slow. */
export const DEFAULT_DEADLINE_MS = 20_000;

/** How often a fact that announces itself by no event is looked at. */
const POLL_MS = 5;

export interface WaitOptions {
  /** Milliseconds. @default DEFAULT_DEADLINE_MS */
  readonly deadlineMs?: number;
  /** Completes the sentence "Timed out waiting for …". */
  readonly what: string;
}

/**
 * Looks at a fact until it holds. For facts that send an event, wait for the event instead.
 *
 * @param fact its first value that is neither `undefined`, `null` nor `false` is returned; what it throws counts as "not yet"
 * @throws Error naming what was waited for and what was seen last, once the deadline is over
 */
export async function waitFor<T>(
  fact: () => T | Promise<T>,
  { deadlineMs = DEFAULT_DEADLINE_MS, what }: WaitOptions,
): Promise<Exclude<T, undefined | null | false>> {
  const deadline = performance.now() + deadlineMs;
  let last: unknown;
  do {
    try {
      last = await fact();
      if (last !== undefined && last !== null && last !== false) {
        return last as Exclude<T, undefined | null | false>;
      }
    } catch (error) {
      last = error;
    }
    await delay(POLL_MS);
  } while (performance.now() < deadline);
  const seen = last instanceof Error ? last.message : String(last);
  throw new Error(`Timed out after ${deadlineMs} ms waiting for ${what}; last seen: ${seen}`, {
    cause: last,
  });
}

/**
 * Bounds a promise that something else will settle.
 *
 * @param context evaluated on a timeout only: what to print with the failure
 */
export async function within<T>(
  promise: Promise<T>,
  { deadlineMs = DEFAULT_DEADLINE_MS, what }: WaitOptions,
  context: () => string = () => "",
): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`Timed out after ${deadlineMs} ms waiting for ${what}\n${context()}`.trimEnd()));
    }, deadlineMs);
  });
  try {
    return await Promise.race([promise, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
