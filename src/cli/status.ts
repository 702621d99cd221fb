/** `gwpm status`: what every pool and worker is doing. */

import { nearest } from "../config/nearest.ts";
import type { StatusDocument } from "../control/messages.ts";
import { painter } from "./colour.ts";
import { connect } from "./connect.ts";
import { CliError } from "./failure.ts";
import { printJson, widthOf } from "./output.ts";
import { renderStatus } from "./status-view.ts";
import type { Verb } from "./verb.ts";

export const verb: Verb = {
  define(command) {
    command
      .description("Show what every pool and worker is doing.")
      .argument("[pool...]", "only these pools")
      .option("--once", "one snapshot (as in a pipe)")
      .option("--json", "print the status document")
      .addHelpText("after", "\nExample:\n  gwpm status\n  gwpm status --json | jq '.pools[].workers.ready'");
  },

  async run(names, flags, io) {
    const client = await connect(flags, io);
    const document = select(await client.json<StatusDocument>("GET", "/v1/status"), names);
    if (flags.json === true) printJson(io, document);
    else {
      const lines = renderStatus(document, { width: widthOf(io), now: Date.now(), paint: painter(io) });
      io.stdout.write(`${lines.join("\n")}\n`);
    }
    return 0;
  },
};

/** The document with these pools only. @throws CliError for one that is not there */
export function select(document: StatusDocument, names: readonly string[]): StatusDocument {
  if (names.length === 0) return document;
  const known = document.pools.map(({ name }) => name);
  for (const name of names) {
    if (known.includes(name)) continue;
    const meant = nearest(name, known);
    const hint =
      meant === undefined ? `The pools are ${known.join(", ") || "none"}.` : `Did you mean "${meant}"?`;
    throw new CliError(`there is no pool "${name}"`, { hint });
  }
  return { ...document, pools: document.pools.filter(({ name }) => names.includes(name)) };
}
