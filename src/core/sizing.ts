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

/** The wanted count after an operator's request: at least 1, for `drain` is what empties a pool. */
export function scaled(wanted: number, request: ScaleRequest): number {
  const count = request.kind === "to" ? request.count : wanted + request.delta;
  return Math.max(1, count);
}
