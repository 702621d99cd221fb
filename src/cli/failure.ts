/** Ends of a verb that are no success: what to say, what to hint at, and what to exit with. */

import { formatIssue } from "../config/format-issue.ts";
import { ConfigError } from "../config/types.ts";
import { ControlError } from "../control/client.ts";
import { OperationError } from "../control/target.ts";

/** A verb that cannot do what it was asked for. */
export class CliError extends Error {
  /** SPEC §3. */
  readonly exitCode: number;
  /** What to do about it, a sentence. */
  readonly hint: string | null;

  constructor(message: string, options: { exitCode?: number; hint?: string; cause?: unknown } = {}) {
    super(message, { cause: options.cause });
    this.name = "CliError";
    this.exitCode = options.exitCode ?? 1;
    this.hint = options.hint ?? null;
  }
}

/** A command line that cannot be understood: exit code 2. */
export class UsageError extends CliError {
  constructor(message: string, hint?: string) {
    super(message, hint === undefined ? { exitCode: 2 } : { exitCode: 2, hint });
    this.name = "UsageError";
  }
}

/** An error as the command line tells it. */
export interface Failure {
  readonly exitCode: number;
  /** The first is the sentence; the others are details and the hint. */
  readonly lines: readonly string[];
}

/** Exit code for a configuration that is not right (sysexits' EX_CONFIG). */
export const EXIT_BAD_CONFIG = 78;

/** @param debug tells the stack too (GWPM_DEBUG=1) */
export function explain(error: unknown, debug: boolean): Failure {
  const failure = explainShortly(error);
  if (!debug || !(error instanceof Error)) return failure;
  return { ...failure, lines: [...failure.lines, ...stackOf(error)] };
}

function explainShortly(error: unknown): Failure {
  if (error instanceof CliError) {
    return { exitCode: error.exitCode, lines: [error.message, ...(error.hint === null ? [] : [error.hint])] };
  }
  if (error instanceof ControlError) return { exitCode: error.exitCode, lines: tellControl(error) };
  if (error instanceof ConfigError) {
    return { exitCode: EXIT_BAD_CONFIG, lines: [error.message, ...tellIssues(error)] };
  }
  if (error instanceof OperationError) {
    return { exitCode: error.exitCode, lines: [error.message, ...indent(error.errors)] };
  }
  return {
    exitCode: 1,
    lines: [
      `unexpected: ${error instanceof Error ? error.message : String(error)}`,
      "This should not happen; GWPM_DEBUG=1 shows where it did.",
    ],
  };
}

function tellControl(error: ControlError): string[] {
  const details = (error.problem?.errors ?? []).filter((line) => !error.message.includes(line));
  const hint = HINTS[error.code];
  return [error.message, ...indent(details), ...(hint === undefined ? [] : [hint])];
}

const HINTS: Readonly<Record<string, string>> = {
  GWPM_SILENT:
    "It may be stopped, swapped out or stuck; kill it only if it stays so: its workers go on serving.",
};

function tellIssues(error: ConfigError): string[] {
  return error.issues.map((issue) => `  ${formatIssue(error.file, issue)}`);
}

function indent(lines: readonly string[]): string[] {
  return lines.map((line) => `  ${line}`);
}

function stackOf(error: Error): string[] {
  const stack = (error.stack ?? "").split("\n");
  return error.cause instanceof Error ? [...stack, "caused by:", ...stackOf(error.cause)] : stack;
}
