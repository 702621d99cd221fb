/** The CGI variables of one request. */

export interface Params {
  /**
   * The value of a variable, such as `REQUEST_METHOD`, decoded as latin1 (as node:http does); `undefined` where it was not sent.
   * Of repeated names other than `HTTP_*` the last one counts.
   */
  get(name: string): string | undefined;
  /** Every pair as it was sent, in order, repetitions included: name, value, name, value, …; with `prefix`, only names that begin so. */
  pairs(prefix?: string): string[];
  /** An object without prototype: each name once, joined as node:http joins repeated headers for `HTTP_*`, the last value for others. */
  toObject(): Record<string, string>;
  readonly size: number;
}
