/** What signals to the supervisor mean (SPEC §3). */

import type { Reloader } from "./reload.ts";
import type { Supervisor } from "./supervisor.ts";

export function heedSignals(
  supervisor: Supervisor,
  reloader: Reloader,
  reopenLogs: () => void,
  { foreground, terminal }: { readonly foreground: boolean; readonly terminal: boolean },
): void {
  const stop = (signal: NodeJS.Signals): void => void supervisor.stop(signal, supervisor.stopping);
  const reload = (): void => void reloader.reload("SIGHUP").catch((error: Error) => warn(error.message));
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
    SIGUSR2: () => warn("SIGUSR2 asks for an upgrade, which is not implemented yet; nothing was done"),
    SIGTTIN: () => scaleAll("+1"),
    SIGTTOU: () => scaleAll("-1"),
  };
  for (const [signal, act] of Object.entries(actions)) process.on(signal, act);
}
