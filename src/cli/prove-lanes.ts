/** The ways in which `gwpm prove` reaches a pool: each of its sockets, or a front end, on kept connections and on new ones. */

import { lookup } from "node:dns/promises";
import type { PoolStatus } from "../control/messages.ts";
import { type Address, parseAddress } from "../core/address.ts";
import { GatewayClient, type GatewayProtocol } from "../gateway/client.ts";
import { CliError } from "./failure.ts";
import type { ProvePlan } from "./prove-flags.ts";

export interface Lane {
  readonly client: GatewayClient;
  readonly host: string;
  readonly params: Readonly<Record<string, string>>;
}

export interface Route {
  readonly lanes: readonly Lane[];
  /** As people write them: `unix:/run/web.sock`, `http://127.0.0.1:8080`. */
  readonly via: readonly string[];
  readonly keepAlive: boolean;
}

/**
 * Workers end a kept FastCGI connection in a form that each front end understands, and nginx's is the one that a client can rely on: bytes after
 * END_REQUEST mean "not again". Our client reads it so, too; this is how the worker knows.
 */
const AS_NGINX = { SERVER_SOFTWARE: "nginx/1 (gwpm prove)" };

/** @throws CliError where the front end's host is not known */
export async function openRoute(plan: ProvePlan, pool: PoolStatus): Promise<Route> {
  const { url } = plan;
  if (url !== null) {
    const address = await resolveUrl(url);
    return route([url.origin], [address], "http", url.host, plan.keepAlive ?? true);
  }
  const addresses = pool.listen.map(parseAddress);
  return route(pool.listen, addresses, pool.protocol, "localhost", plan.keepAlive ?? sharesWorkers(pool));
}

/**
 * Whether a kept connection leaves room for others. A program that serves one connection at a time would be held by it, idle or not, while new ones
 * wait.
 */
function sharesWorkers({ runtime }: PoolStatus): boolean {
  return runtime === "script" || runtime === "asgi";
}

function route(
  via: readonly string[],
  addresses: readonly Address[],
  protocol: GatewayProtocol,
  host: string,
  wantsKeepAlive: boolean,
): Route {
  const keepAlive = wantsKeepAlive && protocol !== "scgi"; // SCGI has no such thing.
  const lanes = addresses.flatMap((address) =>
    (keepAlive ? [true, false] : [false]).map((kept) => ({
      client: new GatewayClient({ address, protocol, keepAlive: kept, once: true }),
      host,
      params: protocol === "fastcgi" && kept ? AS_NGINX : {},
    })),
  );
  return { lanes, via, keepAlive };
}

async function resolveUrl({ hostname, port }: URL): Promise<Address> {
  const host = hostname.replace(/^\[|\]$/g, "");
  try {
    const { address, family } = await lookup(host);
    return { kind: "tcp", host: address, port: Number(port || 80), family: family === 6 ? 6 : 4 };
  } catch (error) {
    throw new CliError(`cannot find the front end's host "${host}": ${(error as Error).message}`, {
      cause: error,
    });
  }
}
