/** What signals to the supervisor mean (SPEC §3). */

import type { OperationError } from "../control/target.ts";
import type { Reloader } from "./reload.ts";
import type { Supervisor } from "./supervisor.ts";
import type { Upgrader } from "./upgrade.ts";

export function heedSignals(
  supervisor: Supervisor,
  reloader: Reloader,
  upgrader: Upgrader,
  reopenLogs: () => void,
  { foreground, terminal }: { readonly foreground: boolean; readonly terminal: boolean },
): void {
  const stop = (signal: NodeJS.Signals): void => void supervisor.stop(signal, supervisor.stopping);
  const reload = (): void => void reloader.reload("SIGHUP").catch((error: Error) => warn(error.message));
  const upgrade = (): void =>
    void upgrader.upgrade("SIGUSR2").catch((error: OperationError) => {
      // A failure has been told as an event; a refusal has not.
      if (error.code !== "GWPM_UPGRADE_FAILED") warn(error.message);
    });
  const warn = (text: string): void => supervisor.emit({ type: "warning", text });
  const scaleAll = (change: "+1" | "-1"): void => {
    for (const pool of supervisor.pools.values()) {
      if (pool.name.includes("/")) continue;
      supervisor.run(() => pool.scale(change, "a signal")).catch((error: Error) => warn(error.message));
    }
  };
  const actions: Partial<Record<NodeJS.Signals, (signal: NodeJS.Signals) => void>> = {
    SIGTERM: stop,
    SIGINT: stop,
    SIGQUIT: stop,
    // The terminal has gone away, and with it whoever watched.
    SIGHUP: foreground && terminal ? stop : reload,
    SIGUSR1: reopenLogs,
    SIGUSR2: upgrade,
    SIGTTIN: () => scaleAll("+1"),
    SIGTTOU: () => scaleAll("-1"),
  };
  for (const [signal, act] of Object.entries(actions)) process.on(signal, act);
}
