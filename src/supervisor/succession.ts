/**
 * Upgrade, the new supervisor's side: with every pool ready it says so, waits to be told, and takes the office over from the
 * old one. Where the old one dies meanwhile there is nobody to tell it, and it takes over as well.
 */

import { OperationError } from "../control/target.ts";
import { formatAddress } from "../core/address.ts";
import type { Predecessor } from "./predecessor.ts";
import type { Service } from "./service.ts";
import type { Supervisor } from "./supervisor.ts";
import type { Heir } from "./upgrade-messages.ts";

/** @throws OperationError where the old supervisor does not hand over after all; ours has then stopped */
export async function succeed(
  supervisor: Supervisor,
  service: Service,
  predecessor: Predecessor,
): Promise<void> {
  const { version, clock } = supervisor;
  const { askedAt, predecessor: former } = predecessor.order;
  predecessor.tell({ kind: "prepared", version, addresses: addressesOf(supervisor) });
  const stopped = supervisor.stopped.then(() => "stopped" as const);
  const call = await Promise.race([predecessor.call, stopped]);
  if (call === "stopped") {
    throw new OperationError(
      "GWPM_UPGRADE_FAILED",
      "the new supervisor was stopped before it had taken over",
    );
  }
  const { office } = service;
  office.openJournal();
  await supervisor.run(() => supervisor.takeOffice(predecessor.keeper));
  for (const { name, totals } of call?.pools ?? []) supervisor.inheritTotals(name, totals);
  await service.answer({ replace: true });
  office.writePidFile();
  supervisor.runDir.forgetCandidate();
  const tookMs = clock.now() - askedAt;
  supervisor.emit({ type: "supervisor-upgraded", pid: process.pid, version, formerPid: former.pid, tookMs });
  predecessor.tell({ kind: "taken" });
  predecessor.follow(heir(supervisor));
}

function heir(supervisor: Supervisor): Heir {
  return {
    pid: process.pid,
    event: (event) => supervisor.record(event),
    line: (line) => supervisor.recordLine(line),
    totals: (pool, totals) => supervisor.inheritTotals(pool, totals),
  };
}

/** Every address that our workers serve. */
function addressesOf(supervisor: Supervisor): string[] {
  return [...supervisor.pools.values()].flatMap(({ version }) =>
    version.listeners.map(({ address }) => formatAddress(address)),
  );
}
