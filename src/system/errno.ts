/** Errors of system calls, with the code that Node gives them (`EADDRINUSE`) and a sentence on what was tried. */

import { getSystemErrorMap } from "node:util";

const names = getSystemErrorMap();

export class SystemError extends Error {
  /** Such as `EADDRINUSE`. */
  readonly code: string;
  /** Positive, as errno(3) has it. */
  readonly errno: number;
  readonly syscall: string;

  constructor(syscall: string, errno: number, doing: string) {
    const [code, meaning] = names.get(-errno) ?? [`errno ${errno}`, "unknown error"];
    super(`${doing}: ${meaning} (${code})`);
    this.name = "SystemError";
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** The code of any Node or system error; `undefined` where it has none. */
export function codeOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null | undefined)?.code;
  return typeof code === "string" ? code : undefined;
}
