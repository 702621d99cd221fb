/** The request on an SCGI connection: the response is sent as it is, and ends with the connection. */

import type { WriteCallback } from "./connection.ts";
import { GATHER_BYTES, WireExchange } from "./connection-exchange.ts";
import type { BodySink } from "./exchange.ts";
import type { ScgiConnection } from "./scgi-connection.ts";

export class ScgiExchange extends WireExchange {
  readonly protocol = "scgi";
  readonly role = "responder";
  declare protected readonly connection: ScgiConnection;

  takeData(sink: BodySink): void {
    sink.onEnd();
  }

  resumeData(): void {}

  /** SCGI has no way to tell the front end. */
  stderr(text: string): void {
    process.stderr.write(`${text}\n`);
  }

  protected respond(
    head: string,
    body: Buffer | string,
    encoding: BufferEncoding | undefined,
    size: number,
    done: WriteCallback | undefined,
  ): void {
    const bytes = Buffer.allocUnsafe(head.length + size);
    const at = bytes.write(head, "latin1");
    if (typeof body === "string") bytes.write(body, at, encoding);
    else body.copy(bytes, at);
    this.connection.respond([bytes], true, done);
  }

  protected transmit(parts: readonly Buffer[], last: boolean, done: WriteCallback | undefined): void {
    const size = parts.reduce((sum, part) => sum + part.length, 0);
    this.connection.respond(size <= GATHER_BYTES ? [Buffer.concat(parts, size)] : parts, last, done);
  }

  protected breakOff(): void {
    this.connection.breakOff();
  }
}
