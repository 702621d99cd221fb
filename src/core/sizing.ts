/** How many workers a pool should have. */

export type Sizing = { readonly mode: "static"; readonly count: number };

/** What an operator asks of `scale`: an absolute count or a change. */
export type ScaleRequest =
  | { readonly kind: "to"; readonly count: number }
  | { readonly kind: "by"; readonly delta: number };

/**
 * Reads `8`, `"8"`, `"+2"` or `"-2"`.
 *
 * @throws RangeError that says what was given and what would be right
 */
export function parseScale(value: number | string): ScaleRequest {
  const text = String(value).trim();
  if (!/^[+-]?\d{1,6}$/.test(text)) {
    throw new RangeError(`"${text}" is not a number of workers; write 8, +2 or -2`);
  }
  if (/^[+-]/.test(text)) return { kind: "by", delta: Number(text) };
  return { kind: "to", count: Number(text) };
}

/** More processes than any machine wants of one pool; above it a slip is likelier than a wish. */
export const MAX_WORKERS = 10_000;

/** The wanted count after an operator's request: at least 1, for `drain` is what empties a pool. @throws RangeError below that or above {@link MAX_WORKERS} */
export function scaled(wanted: number, request: ScaleRequest): number {
  const count = request.kind === "to" ? request.count : wanted + request.delta;
  if (count > MAX_WORKERS)
    throw new RangeError(`${count} workers are more than a pool may have, which is ${MAX_WORKERS}`);
  if (count < 1)
    throw new RangeError("a pool keeps at least one worker; `gwpm drain` lets it take nothing new");
  return count;
}
