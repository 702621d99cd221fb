/**
 * A client that keeps books: every request has a number, and every number must get exactly one answer, its own, and be handled exactly
 * once. The application's side is `fixtures/apps/ledger.mjs`.
 */

import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import type { Target } from "./http.ts";
import { DEFAULT_DEADLINE_MS, within } from "./wait.ts";

/** Sends one numbered request. @returns the number that the answer names; @throws when there is no proper answer */
export type Send = (number: number) => Promise<number>;

export interface LedgerReport {
  readonly sent: number;
  readonly answered: number;
  /** Numbers without an answer, and why. */
  readonly lost: readonly string[];
  /** Numbers that got another number's answer. */
  readonly mixedUp: readonly string[];
  /** Numbers that the application handled more than once, or answered without having handled them. */
  readonly miscounted: readonly string[];
}

export interface LedgerOptions {
  readonly send: Send;
  /** Clients at a time, each waiting for its answer before the next request. @default 8 */
  readonly clients?: number;
  /** Where the application notes each number that it handles; see `ledger.mjs`. */
  readonly handledFile: string;
}

/** A closed loop of numbered requests, running until {@link stop}. */
export class Ledger {
  #next = 1;
  #answered = 0;
  #stopping = false;
  readonly #lost: string[] = [];
  readonly #mixedUp: string[] = [];
  readonly #options: LedgerOptions;
  readonly #clients: Promise<void>[];
  #milestones: { count: number; reach: () => void }[] = [];

  constructor(options: LedgerOptions) {
    this.#options = options;
    this.#clients = Array.from({ length: options.clients ?? 8 }, () => this.#client());
  }

  /** Resolves once so many more requests have been answered: a test's measure of "some load has passed". */
  async answers(more: number, deadlineMs = DEFAULT_DEADLINE_MS): Promise<void> {
    const reached = new Promise<void>((reach) => {
      this.#milestones.push({ count: this.#answered + more, reach });
    });
    await within(reached, { what: `${more} more answers`, deadlineMs }, () =>
      this.#lost.slice(0, 5).join("\n"),
    );
  }

  /** Lets every client finish its request, and closes the books. */
  async stop(): Promise<LedgerReport> {
    this.#stopping = true;
    await within(Promise.all(this.#clients), { what: "the last answers", deadlineMs: 60_000 });
    const unanswered = this.#lost.length + this.#mixedUp.length;
    return {
      sent: this.#next - 1,
      answered: this.#answered,
      lost: this.#lost,
      mixedUp: this.#mixedUp,
      // A lost request may have been handled or not; only the sum of the others is certain.
      miscounted: unanswered > 0 ? [] : miscounted(this.#options.handledFile, this.#next - 1),
    };
  }

  async #client(): Promise<void> {
    while (!this.#stopping) {
      const number = this.#next++;
      try {
        const answer = await this.#options.send(number);
        if (answer === number) this.#answered++;
        else this.#mixedUp.push(`${number} got the answer to ${answer}`);
      } catch (error) {
        this.#lost.push(`${number}: ${(error as Error).message}`);
      }
      const reached = this.#milestones.filter(({ count }) => this.#answered >= count);
      this.#milestones = this.#milestones.filter((milestone) => !reached.includes(milestone));
      for (const { reach } of reached) reach();
    }
  }
}

function miscounted(file: string, sent: number): string[] {
  const handled = new Map<number, number>();
  for (const line of readFileSync(file, "utf8").split("\n")) {
    if (line !== "") handled.set(Number(line), (handled.get(Number(line)) ?? 0) + 1);
  }
  const numbers = new Set([...handled.keys(), ...Array.from({ length: sent }, (_, index) => index + 1)]);
  return [...numbers]
    .map((number) => ({ number, times: handled.get(number) ?? 0 }))
    .filter(({ times }) => times !== 1)
    .map(({ number, times }) => `${number} was handled ${times} times`);
}

/** Sends by HTTP to `ledger.mjs`, straight or through a front end; POST, because a lost GET may be repeated unseen. */
export function httpSender(target: Target, options: { keepAlive?: boolean; bodyBytes?: number } = {}): Send {
  const { keepAlive = true, bodyBytes = 0 } = options;
  const agent = new Agent({ keepAlive });
  const to = "path" in target ? { socketPath: target.path } : target;
  return (number) =>
    new Promise((resolve, reject) => {
      const body = String(number).padEnd(bodyBytes);
      const outgoing = request({
        ...to,
        agent,
        method: "POST",
        path: `/ledger?n=${number}`,
        headers: { host: "gwpm.test", "content-length": body.length },
      });
      outgoing.once("error", reject);
      outgoing.once("response", (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (chunk: string) => {
          text += chunk;
        });
        response.once("error", reject);
        response.once("end", () => {
          if (response.statusCode === 200) resolve(Number(text));
          else reject(new Error(`status ${response.statusCode}: ${text.slice(0, 200)}`));
        });
      });
      outgoing.end(body);
    });
}
