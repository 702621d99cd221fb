/**
 * The `http` listener of a pool (SPEC §2): a process of its own that takes plain HTTP on fd 0 and speaks the pool's protocol to its workers.
 * Run by the supervisor as `node dist/src/gateway/http/main.js`.
 */

import { GatewayClient } from "../client.ts";
import { type ForwardOptions, forward } from "./forward.ts";
import { HttpListener } from "./listener.ts";
import { readListenFds, readSettings } from "./settings.ts";
import { announceReady, listenForDrain } from "./supervision.ts";
import { connectionVariables } from "./variables.ts";
import { gwpmVersion } from "./version.ts";

/** `main.js` could not make sense of its environment. */
const EXIT_USAGE = 2;

try {
  await main();
} catch (error) {
  process.stderr.write(`Cannot serve HTTP: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(error instanceof RangeError ? EXIT_USAGE : 1);
}

async function main(): Promise<void> {
  const { address, protocol, pool, timeoutMs } = readSettings(process.env);
  const fds = readListenFds(process.env);
  // A connection for each request: a kept one would lead to an old worker after a reload, and hold it up while it drains.
  const client = new GatewayClient({ address, protocol, timeouts: { silenceMs: timeoutMs } });
  const software = `gwpm/${gwpmVersion()}`;
  const options: ForwardOptions = {
    client,
    pool,
    variables: (request) => connectionVariables(request, software),
    closing: () => listener.draining,
    log: (line) => process.stderr.write(`${line}\n`),
  };
  const listener = new HttpListener({
    onRequest: (request, response) => void forward(request, response, options),
    // The workers' silence is measured on their own connections; this one is for clients that neither send nor read.
    silenceMs: timeoutMs === null ? null : 2 * timeoutMs,
  });
  await listener.listen(fds);
  listenForDrain((idle) => listener.drain(idle));
  announceReady();
  await listener.drained();
  client.close();
  process.exit(0); // The control channel would keep the process.
}
