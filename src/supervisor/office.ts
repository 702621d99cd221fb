/**
 * What only one supervisor of a run dir can have at a time: the control socket, the pid file, the journal's file and
 * `state.json`. Taken at the start or from a predecessor, left to a successor, or given up at the end.
 */

import * as fs from "node:fs";
import type { Server } from "node:http";
import { join } from "node:path";
import { createControlServer } from "../control/server.ts";
import type { ControlTarget } from "../control/target.ts";
import { openListener } from "../system/sockets.ts";
import type { Supervisor } from "./supervisor.ts";

export function journalFile(runDir: string): string {
  return join(runDir, "journal.ndjson");
}

export class Office {
  readonly #supervisor: Supervisor;
  #server: Server | undefined;
  #left = false;
  /** Whether the pid file has ever named us. */
  #named = false;
  #onLeave = (): void => {};

  constructor(supervisor: Supervisor) {
    this.#supervisor = supervisor;
  }

  /** Whether it is ours. */
  get held(): boolean {
    return this.#server !== undefined && !this.#left;
  }

  /** @param act what else ends with it: of what only the supervisor in charge does */
  onLeave(act: () => void): void {
    this.#onLeave = act;
  }

  openJournal(): void {
    this.#supervisor.journal.openFile(journalFile(this.#supervisor.config.runDir));
  }

  /**
   * Answers on the control socket.
   *
   * @param replace take the name over from whoever answers there now, without a moment in which nobody does
   */
  async answer(target: ControlTarget, { replace = false } = {}): Promise<void> {
    const { config, version } = this.#supervisor;
    const server = createControlServer(target, { version });
    // Whoever may write to this socket commands the supervisor: nobody but its own user.
    const { fd } = await openListener(
      { kind: "unix", path: config.controlSocket },
      { backlog: 128, mode: 0o600, replaceLive: replace },
    );
    await new Promise<void>((resolve) => server.listen({ fd }, resolve));
    // Who still waits for an answer of the server before gets it.
    this.#server?.close();
    this.#server = server;
  }

  writePidFile(): void {
    this.#named = true;
    fs.writeFileSync(this.#supervisor.config.pidFile, `${process.pid}\n`, { mode: 0o600 });
  }

  /** A successor has it. What has been answered is on its way, and nothing is removed. */
  leave(): void {
    this.#left = true;
    this.#onLeave();
    this.#server?.close();
    this.#server?.closeAllConnections();
  }

  /** Gives it up. */
  close(): void {
    this.#supervisor.journal.flushSync();
    this.#server?.close();
    this.#server?.closeAllConnections();
    if (!this.held || this.#isTaken()) return;
    const { config } = this.#supervisor;
    fs.rmSync(config.controlSocket, { force: true });
    fs.rmSync(config.pidFile, { force: true });
  }

  /** Whether the pid file names a successor by now, whose socket has the name that ours had. */
  #isTaken(): boolean {
    try {
      return this.#named && fs.readFileSync(this.#supervisor.config.pidFile, "utf8") !== `${process.pid}\n`;
    } catch {
      return false; // There is none.
    }
  }
}
