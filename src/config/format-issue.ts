/** One error of a configuration as a line of text that editors and terminals can jump to. */

import type { ConfigIssue } from "./types.ts";

/** `file:line:column: path: message`, as far as each is known. */
export function formatIssue(file: string, issue: ConfigIssue): string {
  const spot = [issue.line, issue.column].filter((number) => number !== null);
  const subject = issue.path === "" ? [] : [issue.path];
  return [[file, ...spot].join(":"), ...subject, issue.message].join(": ");
}
