/** A FIFO that a process waits at until the test lets it pass. */

import { execFileSync } from "node:child_process";
import { closeSync, constants, openSync, writeSync } from "node:fs";
import type { Sandbox } from "./sandbox.ts";
import { waitFor } from "./wait.ts";

export class Barrier {
  /** What the process opens for reading. */
  readonly path: string;

  constructor(sandbox: Sandbox, name = "barrier") {
    this.path = sandbox.path(name);
    execFileSync("mkfifo", [this.path]);
  }

  /** Waits until a process stands at the barrier, and lets it pass. */
  async open(): Promise<void> {
    // Not blocking: with nobody at the other end the open fails with ENXIO (fifo(7)) and is tried again.
    const fd = await waitFor(() => openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK), {
      what: `a process at the barrier ${this.path}`,
    });
    writeSync(fd, "go\n");
    closeSync(fd);
  }
}
