/** What the listener process learns from its environment. */

import { WORKER_ENV } from "../../control/messages.ts";
import { type Address, parseAddress } from "../../core/address.ts";
import type { GatewayProtocol } from "../types.ts";

/** The variable that says where the requests go: JSON, {@link GatewaySettings} with the address as text. */
export const GATEWAY_ENV = "GWPM_GATEWAY";

/** As nginx's `fastcgi_read_timeout`. */
const DEFAULT_TIMEOUT_MS = 60_000;

export interface GatewaySettings {
  readonly address: Address;
  readonly protocol: GatewayProtocol;
  /** The pool's name, for messages. */
  readonly pool: string;
  /** How long a worker may be silent, in milliseconds; `null` for ever. @default 60000 */
  readonly timeoutMs: number | null;
}

/**
 * @throws RangeError that names the variable and says what is wrong with it
 */
export function readSettings(env: NodeJS.ProcessEnv): GatewaySettings {
  const text = env[GATEWAY_ENV];
  if (text === undefined) throw new RangeError(`${GATEWAY_ENV} is not set; gwpm sets it for this process`);
  const { address, protocol, pool, timeoutMs = DEFAULT_TIMEOUT_MS } = parseObject(text);
  if (protocol !== "fastcgi" && protocol !== "scgi" && protocol !== "http") {
    throw new RangeError(
      `"protocol" in ${GATEWAY_ENV} is ${JSON.stringify(protocol)}; it must be "fastcgi", "scgi" or "http"`,
    );
  }
  if (typeof address !== "string")
    throw new RangeError(`"address" in ${GATEWAY_ENV} is not a string: ${text}`);
  if (typeof pool !== "string") throw new RangeError(`"pool" in ${GATEWAY_ENV} is not a string: ${text}`);
  if (timeoutMs !== null && !(Number.isInteger(timeoutMs) && (timeoutMs as number) > 0)) {
    throw new RangeError(
      `"timeoutMs" in ${GATEWAY_ENV} is ${timeoutMs}; it must be a positive number of milliseconds, or null`,
    );
  }
  return { address: parseAddress(address), protocol, pool, timeoutMs: timeoutMs as number | null };
}

/**
 * The fds to accept on: fd 0, or all that GWPM_LISTEN_FDS lists.
 *
 * @throws RangeError
 */
export function readListenFds(env: NodeJS.ProcessEnv): number[] {
  const text = env[WORKER_ENV.listenFds] ?? "0";
  if (!/^\d{1,6}(,\d{1,6})*$/.test(text)) {
    throw new RangeError(`${WORKER_ENV.listenFds} is "${text}"; it must be a list of fds, such as "0,5,6"`);
  }
  return text.split(",").map(Number);
}

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch {
    // Said below, together with what is JSON but no object.
  }
  throw new RangeError(`${GATEWAY_ENV} is not a JSON object: ${text}`);
}
