/** Prints results, and waits for a reader who is slower than we are. */

import type { Io } from "./verb.ts";

/** One JSON document, as every `--json` prints it. */
export function printJson(io: Io, document: unknown): void {
  io.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
}

/** Resolves when there is room for more, or when nobody reads any more. */
export function writeText(stream: NodeJS.WritableStream, text: string): Promise<void> {
  if (stream.write(text)) return Promise.resolve();
  return new Promise((resolve) => {
    const events = ["drain", "error", "close"] as const;
    const settle = () => {
      for (const event of events) stream.off(event, settle);
      resolve();
    };
    for (const event of events) stream.once(event, settle);
  });
}

/** How many characters a line may have: a terminal's width, and no bound where there is none. */
export function widthOf(io: Io): number {
  const { columns } = io.stdout as NodeJS.WritableStream & { columns?: number };
  return io.isTty ? (columns ?? 80) : Number.POSITIVE_INFINITY;
}
