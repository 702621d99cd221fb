/** One line on a terminal that tells what a verb waits for; elsewhere, silence. */

import { printable } from "./printable.ts";
import type { Io } from "./verb.ts";

export interface Progress {
  /** Whether anybody sees it; what is dear to find out need not be found out otherwise. */
  readonly shown: boolean;
  /** Replaces the line. */
  update(text: string): void;
  /** Takes the line away and, where `text` is given, prints that to stdout for good. */
  done(text?: string): void;
}

/** Takes the cursor to the line's start and clears it. */
const CLEAR = "\r\u001b[2K";

/** The line goes to stderr, so that stdout holds results alone; it is shown only when that is a terminal. */
export function progress(io: Io): Progress {
  const terminal = io.stderr as NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  const shown = terminal.isTTY === true && io.env.TERM !== "dumb";
  let current = "";
  return {
    shown,
    update(text) {
      if (!shown || text === current) return;
      current = text;
      // A line that wraps could not be cleared again. A terminal that does not know its width says 0.
      terminal.write(CLEAR + cut(printable(text), (terminal.columns || 80) - 1));
    },
    done(text) {
      if (current !== "") terminal.write(CLEAR);
      current = "";
      if (text !== undefined) io.stdout.write(`${text}\n`);
    },
  };
}

function cut(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, Math.max(0, width - 1))}…`;
}
