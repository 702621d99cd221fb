/** Errors as RFC 9457 problem documents. */

import { STATUS_CODES } from "node:http";
import type { Problem } from "./messages.ts";
import { OperationError } from "./target.ts";

/** An {@link OperationError} as it is; anything else is our fault and says so. */
export function toProblem(error: unknown): Problem {
  const known =
    error instanceof OperationError
      ? error
      : new OperationError(
          "GWPM_INTERNAL",
          `The supervisor failed to answer: ${error instanceof Error ? error.message : String(error)}`,
          { status: 500 },
        );
  return {
    // "about:blank" says that the title is the status' own phrase; `code` tells the problems apart.
    type: "about:blank",
    title: STATUS_CODES[known.status] ?? "Error",
    status: known.status,
    detail: known.message,
    code: known.code,
    exitCode: known.exitCode,
    ...(known.errors.length === 0 ? {} : { errors: known.errors }),
  };
}
