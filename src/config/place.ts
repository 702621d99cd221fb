/** A place in a configuration, which knows its path and takes the errors found there. */

/** A step from the top of the configuration: a key, or the index in a list. */
export type Segment = string | number;

/** Takes one error. `of` tells whether the key itself is wrong (it is unknown) or its value. */
export type Report = (segments: readonly Segment[], message: string, of: "key" | "value") => void;

export class Place {
  readonly segments: readonly Segment[];
  readonly #report: Report;

  constructor(report: Report, segments: readonly Segment[] = []) {
    this.#report = report;
    this.segments = segments;
  }

  /** The place one step further in. */
  at(...segments: readonly Segment[]): Place {
    return new Place(this.#report, [...this.segments, ...segments]);
  }

  /** Such as `pools[1].timeouts.start`. */
  get path(): string {
    return formatPath(this.segments);
  }

  /** Reports that the value here is wrong. @returns undefined, so that a reader can `return place.fail(…)` */
  fail(message: string): undefined {
    this.#report(this.segments, message, "value");
  }

  /** Reports that the key that leads here is wrong. */
  failKey(message: string): undefined {
    this.#report(this.segments, message, "key");
  }
}

/** Writes a path as JavaScript would: `pools[0].env["X-Y"]`. */
export function formatPath(segments: readonly Segment[]): string {
  let path = "";
  for (const segment of segments) {
    if (typeof segment === "number") path += `[${segment}]`;
    else if (!/^[A-Za-z_$][\w$]*$/.test(segment)) path += `[${JSON.stringify(segment)}]`;
    else path += path === "" ? segment : `.${segment}`;
  }
  return path;
}
