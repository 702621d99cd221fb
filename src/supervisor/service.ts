/** A supervisor with all that operators reach it by: the control API, signals, and the operations behind both. */

import { SupervisorControl } from "./control.ts";
import { Office } from "./office.ts";
import { Reloader } from "./reload.ts";
import type { ServeOptions } from "./serve.ts";
import { heedSignals } from "./signals.ts";
import { StatusReporter } from "./status.ts";
import type { Supervisor } from "./supervisor.ts";
import { Turns } from "./turns.ts";
import { Upgrader } from "./upgrade.ts";

export class Service {
  readonly office: Office;
  readonly #supervisor: Supervisor;
  readonly #options: ServeOptions;
  readonly reloader: Reloader;
  readonly #upgrader: Upgrader;
  readonly #reporter: StatusReporter;
  readonly #target: SupervisorControl;

  constructor(supervisor: Supervisor, options: ServeOptions) {
    const { loadConfig, order } = options;
    const turns = new Turns();
    this.#supervisor = supervisor;
    this.#options = options;
    this.office = new Office(supervisor);
    this.reloader = new Reloader(supervisor, loadConfig, turns);
    const answerAgain = () => this.answer({ replace: true });
    this.#upgrader = new Upgrader({ supervisor, turns, office: this.office, order, answerAgain });
    this.#reporter = new StatusReporter(supervisor);
    this.#target = new SupervisorControl(supervisor, this.reloader, this.#upgrader, this.#reporter);
  }

  /** @param options `replace`: somebody else may still answer under the name */
  answer(options: { replace?: boolean } = {}): Promise<void> {
    return this.office.answer(this.#target, options);
  }

  heedSignals(reopenLogs: () => void): void {
    const { foreground, terminal } = this.#options;
    heedSignals(this.#supervisor, this.reloader, this.#upgrader, reopenLogs, { foreground, terminal });
  }

  async close(): Promise<void> {
    await this.#upgrader.settled();
    // The answer to the operator who asked for the stop is on its way; what follows must not cut it off.
    await new Promise((resolve) => setImmediate(resolve));
    this.#reporter.close();
    this.office.close();
  }
}
