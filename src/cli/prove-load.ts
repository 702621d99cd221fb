/** The load of `gwpm prove`: clients that send numbered requests and enter what becomes of each in the ledger. */

import { finished } from "node:stream/promises";
import type { Ledger, Outcome } from "../core/ledger.ts";
import { GatewayError, type GatewayErrorCode, type GatewayResponse } from "../gateway/client.ts";
import { CliError } from "./failure.ts";
import { pause } from "./pause.ts";
import type { ProvePlan } from "./prove-flags.ts";
import type { Lane } from "./prove-lanes.ts";

/** Names the request, and in the answer of an application that knows of it, whose answer it is. */
const NAME_HEADER = "X-Gwpm-Prove";
/** How often the application has handled that request so far. */
const COUNT_HEADER = "x-gwpm-prove-count";
const NAME_PARAMETER = "gwpm-prove";

/** A client that got no answer waits for so long: a pool that refuses everything is not to be flooded. */
const AFTER_LOSS_MS = 50;

/** With these there is no point in going on: the target is not what was meant. */
const HOPELESS: ReadonlySet<GatewayErrorCode> = new Set<GatewayErrorCode>([
  ...(["GWPM_NO_SOCKET", "GWPM_REFUSED", "GWPM_NOT_PERMITTED", "GWPM_UNREACHABLE"] as const),
  "GWPM_BAD_RESPONSE",
]);
/** SPEC §3. */
const EXIT_NOT_PERMITTED = 4;

export interface LoadOptions {
  readonly plan: ProvePlan;
  readonly lanes: readonly Lane[];
  readonly ledger: Ledger;
  /** Tells this run's requests from any other's; letters and digits. */
  readonly runName: string;
  /** No further requests. */
  readonly stop: AbortSignal;
  /** No more waiting for answers either. */
  readonly leave: AbortSignal;
}

export class Load {
  readonly #options: LoadOptions;
  #turns = 0;
  #startedAt = 0;

  constructor(options: LoadOptions) {
    this.#options = options;
  }

  /**
   * Sends the first request alone.
   *
   * @throws CliError when what is there cannot be the target
   */
  async begin(): Promise<void> {
    const error = await this.#one();
    if (error === null || !HOPELESS.has(error.code)) return;
    const exitCode = error.code === "GWPM_NOT_PERMITTED" ? EXIT_NOT_PERMITTED : 1;
    throw new CliError(error.message, { exitCode, cause: error });
  }

  /** Resolves when the last request has come out. */
  async run(): Promise<void> {
    this.#startedAt = performance.now();
    const clients = Array.from({ length: this.#options.plan.clients }, () => this.#client());
    await Promise.all(clients);
  }

  async #client(): Promise<void> {
    const { stop } = this.#options;
    while (await this.#turn()) {
      if ((await this.#one()) !== null) await pause(AFTER_LOSS_MS, stop);
    }
  }

  /** Waits until the next request is due. @returns whether there is to be one */
  async #turn(): Promise<boolean> {
    const { plan, stop } = this.#options;
    if (plan.rate !== null) {
      const due = this.#startedAt + (this.#turns * 1000) / plan.rate;
      this.#turns += 1;
      await pause(due - performance.now(), stop);
    }
    return !stop.aborted;
  }

  /** @returns why there was no answer; `null` where there was one */
  async #one(): Promise<GatewayError | null> {
    const { ledger } = this.#options;
    const number = ledger.open(performance.now());
    const name = `${this.#options.runName}-${number}`;
    try {
      const response = await this.#send(number, name);
      await finished(response.body.resume());
      ledger.settle(number, this.#judge(response, name), performance.now());
      return null;
    } catch (error) {
      if (!(error instanceof GatewayError)) throw error;
      ledger.settle(number, judgeFailure(error), performance.now());
      return error;
    }
  }

  /** Every lane gets GETs and POSTs in turn. */
  #send(number: number, name: string): Promise<GatewayResponse> {
    const { plan, lanes, leave } = this.#options;
    const { client, host, params } = lanes[Math.floor(number / 2) % lanes.length]!;
    const isPost = plan.bodyBytes > 0 && number % 2 === 0;
    return client.request({
      method: isPost ? "POST" : "GET",
      uri: `${plan.uri}${plan.uri.includes("?") ? "&" : "?"}${NAME_PARAMETER}=${name}`,
      headers: [
        ...["Host", host, NAME_HEADER, name],
        ...(isPost ? ["Content-Type", "text/plain", "Content-Length", String(plan.bodyBytes)] : []),
      ],
      params,
      body: isPost ? Buffer.alloc(plan.bodyBytes, `${name}\n`) : undefined,
      signal: leave,
      timeoutMs: plan.timeoutMs,
    });
  }

  #judge({ status, headers }: GatewayResponse, name: string): Outcome {
    const { plan } = this.#options;
    if (plan.url !== null && status === 502) {
      return { kind: "broken", reason: "the front end answered 502" };
    }
    // Also a front end's words for "no answer"; on the pool's own socket they are the application's.
    if (plan.url !== null && (status === 503 || status === 504)) {
      return { kind: "unanswered", reason: `the front end answered ${status}` };
    }
    const echo = fieldOf(headers, NAME_HEADER.toLowerCase());
    if (plan.expectEcho && echo === undefined) {
      const reason = `an answer with status ${status} and without ${NAME_HEADER}: not the application's`;
      return { kind: "unanswered", reason };
    }
    const count = Number(fieldOf(headers, COUNT_HEADER));
    return {
      kind: "answer",
      status,
      echo: echo === undefined ? null : echo === name ? "own" : "other",
      handled: Number.isInteger(count) && count > 0 ? count : null,
    };
  }
}

function judgeFailure({ code, message }: GatewayError): Outcome {
  if (code === "GWPM_ABORTED") return { kind: "abandoned" };
  return { kind: code === "GWPM_TRUNCATED" ? "broken" : "unanswered", reason: message };
}

/** @param name in lower case */
function fieldOf(headers: readonly string[], name: string): string | undefined {
  const at = headers.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  return at < 0 ? undefined : headers[at + 1];
}
