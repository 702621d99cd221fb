/** One request and its response on one connection: what is the same for every protocol. Subclasses move the bytes. */

import type { Readable, Writable } from "node:stream";
import { type BodyLength, responseLength } from "./body-length.ts";
import {
  abortError,
  badResponseError,
  bodyError,
  GatewayError,
  timeoutError,
  truncatedError,
} from "./errors.ts";
import { ResponseBody } from "./response-body.ts";
import { Silence } from "./silence.ts";
import type { GatewayResponse, Timings } from "./types.ts";
import { Upload } from "./upload.ts";
import { type Call, StaleConnection, type UpstreamOptions } from "./upstream.ts";

/** How much of FCGI_STDERR is remembered. */
const MAX_STDERR = 65_536;

export abstract class Exchange {
  protected readonly call: Call;
  protected readonly options: UpstreamOptions;
  protected readonly timings: Timings = { connectedMs: 0, headMs: 0, totalMs: null, reused: false };
  /** Set once the response head is complete. */
  protected body: ResponseBody | undefined;
  #upload: Upload | undefined;
  #heard = false;
  #over = false;
  #stderr = "";
  #silence: Silence | undefined;
  #headLimit: Silence | undefined;
  #resolve!: (response: GatewayResponse) => void;
  #reject!: (error: Error) => void;

  constructor(call: Call, options: UpstreamOptions) {
    this.call = call;
    this.options = options;
  }

  /** @throws GatewayError, StaleConnection */
  run(): Promise<GatewayResponse> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
      const { signal } = this.call;
      if (signal.aborted) {
        this.fail(signal.reason);
        return;
      }
      signal.addEventListener("abort", this.#onAbort);
      this.start();
    });
  }

  /** Connects and sends. Failures go to {@link fail}. */
  protected abstract start(): void;
  /** The reader has room again. */
  protected abstract resumeReading(): void;
  /** Closes the connection, if there is one: nothing more will be read from it. */
  protected abstract drop(): void;

  /** Nothing more will happen. */
  protected get over(): boolean {
    return this.#over;
  }

  /** Whether all of the request has gone out. */
  protected get sent(): boolean {
    return this.#upload === undefined || this.#upload.over;
  }

  protected connected(reused: boolean): void {
    this.timings.reused = reused;
    this.timings.connectedMs = this.#elapsed();
    this.#silence = new Silence(this.options.silenceMs, () => this.#onSilence());
  }

  /** Bytes have moved, either way. */
  protected moved(): void {
    this.#silence?.touch();
  }

  /** Bytes of a response have arrived. */
  protected heard(): void {
    this.#heard = true;
    this.#silence?.touch();
  }

  /** Starts to move a body from a stream. */
  protected upload(
    source: Readable,
    length: number | null,
    sink: Writable,
    frame: (chunk: Buffer) => readonly Buffer[],
    onEnd: () => void,
  ): void {
    this.#upload = new Upload({
      source,
      sink,
      length,
      frame,
      onProgress: () => this.moved(),
      onEnd: () => {
        onEnd();
        this.requestSent();
      },
      onFailure: (what, cause) => this.fail(bodyError(this.options.address, what, cause)),
    });
    this.#upload.start();
  }

  /** From now on it is the upstream's turn: its head may take `silenceMs`, however it trickles. */
  protected requestSent(): void {
    const { silenceMs, address } = this.options;
    if (silenceMs === null || this.body !== undefined || this.#over) return;
    // Never touched: what trickles in does not extend it.
    this.#headLimit = new Silence(silenceMs, () =>
      this.fail(timeoutError(address, "a response head", silenceMs)),
    );
  }

  protected stderr(text: string): void {
    if (this.#stderr.length < MAX_STDERR) this.#stderr += text.slice(0, MAX_STDERR - this.#stderr.length);
    this.call.onStderr?.(text);
  }

  /** The response head is complete. */
  protected head(status: number, reason: string, headers: string[]): void {
    const { address } = this.options;
    if (status < 200 || status > 999) {
      // An interim response has no place in CGI (RFC 3875 §6.3.3), and 101 would need a tunnel.
      this.fail(badResponseError(address, `its status is ${status}, not a final one`));
      return;
    }
    let length: BodyLength;
    try {
      length = responseLength(this.call.method, status, headers);
    } catch (error) {
      this.fail(badResponseError(address, (error as Error).message));
      return;
    }
    this.#headLimit?.stop();
    this.timings.headMs = this.#elapsed();
    this.body = new ResponseBody(length, {
      onWanted: () => {
        this.moved();
        this.resumeReading();
      },
      onAbandoned: () => this.#abandon(),
    });
    const { body, timings } = this;
    this.#resolve({ status, reason, headers, body, timings, stderr: () => this.#stderr });
  }

  /** The response is complete; what was not sent of the request is not wanted. */
  protected complete(): void {
    if (this.#over) return;
    const { body } = this;
    if (body === undefined) {
      this.fail(truncatedError(this.options.address, "before it answered"));
      return;
    }
    if (body.missing > 0) {
      const what = `with ${body.missing} bytes of the response's Content-Length missing`;
      this.fail(truncatedError(this.options.address, what));
      return;
    }
    this.timings.totalMs = this.#elapsed();
    this.#stop();
    this.call.onOver();
    body.finish();
  }

  protected fail(error: Error): void {
    if (this.#over) return;
    const willRepeat = this.#isStale(error);
    this.#stop();
    this.drop();
    if (!willRepeat) this.call.onOver();
    if (this.body !== undefined) this.body.destroy(error);
    else this.#reject(willRepeat ? new StaleConnection(error) : error);
  }

  #isStale(error: Error): boolean {
    return (
      this.timings.reused && !this.#heard && error instanceof GatewayError && error.code === "GWPM_TRUNCATED"
    );
  }

  #abandon(): void {
    if (this.#over) return;
    this.#stop();
    this.drop();
    this.call.onOver();
  }

  #stop(): void {
    this.#over = true;
    this.#silence?.stop();
    this.#headLimit?.stop();
    this.#upload?.stop();
    this.call.signal.removeEventListener("abort", this.#onAbort);
  }

  readonly #onAbort = (): void => {
    const { reason } = this.call.signal;
    this.fail(reason instanceof GatewayError ? reason : abortError(this.options.address, reason));
  };

  #onSilence(): void {
    const { address, silenceMs } = this.options;
    if (this.body?.full) return; // The reader's turn.
    if (this.#upload?.starved) {
      this.fail(bodyError(address, `its source has sent nothing for ${silenceMs} ms`));
    } else {
      const awaited = this.body === undefined ? "a response head" : "the rest of the response";
      this.fail(timeoutError(address, awaited, silenceMs!));
    }
  }

  #elapsed(): number {
    return performance.now() - this.call.startedAt;
  }
}
