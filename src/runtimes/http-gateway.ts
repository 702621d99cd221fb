/** The built-in HTTP listener of a pool: a worker of gwpm's own that speaks HTTP in front and the pool's protocol behind. */

import { fileURLToPath } from "node:url";
import { type Address, formatAddress } from "../core/address.ts";
import type { Launch } from "./launch.ts";

const GATEWAY_MAIN = fileURLToPath(new URL("../gateway/http/main.js", import.meta.url));

/** @param upstream where the pool listens */
export function launchHttpGateway(pool: string, protocol: string, upstream: Address): Launch {
  return {
    command: process.execPath,
    args: [GATEWAY_MAIN],
    env: { GWPM_GATEWAY: JSON.stringify({ address: formatAddress(upstream), protocol, pool }) },
    eventLoop: true,
  };
}
