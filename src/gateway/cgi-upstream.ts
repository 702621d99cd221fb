/** An upstream that speaks FastCGI or SCGI. */

import { Readable } from "node:stream";
import { CgiExchange } from "./cgi-exchange.ts";
import { bodyError, GatewayError } from "./errors.ts";
import { KeptConnections } from "./kept-connections.ts";
import { Silence } from "./silence.ts";
import { type Spooled, SpoolOverflow, spool } from "./spool.ts";
import type { GatewayResponse } from "./types.ts";
import type { Call, Upstream, UpstreamOptions } from "./upstream.ts";

/** More than this would only be closed again after a burst. */
const MOST_KEPT = 32;

export class CgiUpstream implements Upstream {
  readonly #protocol: "fastcgi" | "scgi";
  readonly #options: UpstreamOptions;
  readonly #kept: KeptConnections;

  constructor(protocol: "fastcgi" | "scgi", options: UpstreamOptions) {
    this.#protocol = protocol;
    this.#options = options;
    this.#kept = new KeptConnections(options.keptMs, MOST_KEPT);
  }

  async attempt(call: Call, kept: boolean): Promise<GatewayResponse> {
    const { body } = call;
    // SCGI says how long the body is before it sends it.
    const needsLength = this.#protocol === "scgi" && call.length === null && body !== null;
    const measured = needsLength ? { ...call, ...(await this.#measure(body as Readable, call)) } : call;
    const socket = kept && this.#options.keepAlive ? this.#kept.take() : undefined;
    const exchange = new CgiExchange(measured, this.#options, this.#protocol, socket, (idle) =>
      this.#kept.keep(idle),
    );
    return exchange.run();
  }

  close(): void {
    this.#kept.clear();
  }

  async #measure(source: Readable, { signal, onOver }: Call): Promise<Spooled & Pick<Call, "onOver">> {
    const { address, silenceMs } = this.#options;
    const stalled = new AbortController();
    const silence = new Silence(silenceMs, () =>
      stalled.abort(bodyError(address, `its source has sent nothing for ${silenceMs} ms`)),
    );
    try {
      const spooled = await spool(source, AbortSignal.any([signal, stalled.signal]), () => silence.touch());
      return { ...spooled, onOver: () => release(spooled, onOver) };
    } catch (error) {
      onOver();
      if (error instanceof GatewayError) throw error;
      const what = error instanceof Error ? error.message : String(error);
      if (error instanceof SpoolOverflow) throw new GatewayError("GWPM_BODY_TOO_LARGE", address, what, error);
      throw bodyError(address, what, error);
    } finally {
      silence.stop();
    }
  }
}

function release({ body }: Spooled, onOver: () => void): void {
  if (body instanceof Readable) body.destroy();
  onOver();
}
