/** Requests to a gwpm pool's own socket, and the small pools that process tests use. */

import { type Address, parseAddress } from "../../src/core/address.ts";
import { GatewayClient } from "../../src/gateway/client.ts";
import type { Gwpm } from "./gwpm.ts";
import type { Send } from "./ledger.ts";

export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** One GET, or a POST where there is a body, on a connection of its own. */
export async function ask(
  address: string | Address,
  uri = "/",
  options: { protocol?: "fastcgi" | "scgi" | "http"; body?: string } = {},
): Promise<Answer> {
  const { protocol = "fastcgi", body } = options;
  const client = new GatewayClient({
    address: typeof address === "string" ? parseAddress(address) : address,
    protocol,
  });
  const response = await client.request({
    method: body === undefined ? "GET" : "POST",
    uri,
    headers: ["Host", "gwpm.test"],
    timeoutMs: 30_000,
    ...(body === undefined ? {} : { body: Buffer.from(body) }),
  });
  const chunks: Buffer[] = [];
  for await (const chunk of response.body) chunks.push(chunk as Buffer);
  return { status: response.status, body: Buffer.concat(chunks).toString() };
}

/** For a {@link Ledger}: numbered POSTs to `ledger.mjs` through the pool's own socket. */
export function socketSender(address: string, protocol: "fastcgi" | "scgi" = "fastcgi"): Send {
  return async (number) => {
    const { status, body } = await ask(address, `/ledger?n=${number}`, { protocol, body: String(number) });
    if (status !== 200) throw new Error(`status ${status}: ${body.slice(0, 200)}`);
    return Number(body);
  };
}

/** Where a pool has come to listen. */
export async function addressOf(gwpm: Gwpm, pool: string): Promise<string> {
  return (await gwpm.pool(pool)).listen[0]!;
}
