/** A worker's connection without a kernel in between: what it writes is recorded, what it reads is given to it. */

import type { Socket } from "node:net";
import { Duplex } from "node:stream";
import type { ResponseHead } from "../../../src/protocol/cgi/response-head-decoder.ts";
import { ProtocolError } from "../../../src/protocol/error.ts";
import { FastCgiClient, type ResponseEnd } from "../../../src/protocol/fastcgi/client.ts";
import type { Connection } from "../../../src/worker/connection.ts";
import { ConnectionContext, type ConnectionSettings } from "../../../src/worker/connection-context.ts";
import type { Exchange } from "../../../src/worker/exchange.ts";
import { FastCgiConnection } from "../../../src/worker/fastcgi-connection.ts";
import { ScgiConnection } from "../../../src/worker/scgi-connection.ts";

/** The worker's end of a connection, as far as connections use a net.Socket. */
export class MemorySocket extends Duplex {
  /** One entry for each write that reached the "kernel"; corked ones arrive as one. */
  readonly written: Buffer[] = [];
  readonly remoteAddress: string | undefined = undefined;
  /** False lets writes wait, as a peer does that does not read. */
  accepting = true;
  /** True once the worker has sent its FIN. */
  finished = false;
  #waiting: (() => void) | null = null;

  constructor() {
    super({ allowHalfOpen: true, decodeStrings: true, writableHighWaterMark: 16_384 });
  }

  get output(): Buffer {
    return Buffer.concat(this.written);
  }

  /** The peer reads again. */
  accept(): void {
    this.accepting = true;
    const waiting = this.#waiting;
    this.#waiting = null;
    waiting?.();
  }

  resetAndDestroy(): this {
    return this.destroy();
  }

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#take([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    this.#take(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: () => void): void {
    this.finished = true;
    done();
  }

  #take(chunks: Buffer[], done: () => void): void {
    const take = () => {
      this.written.push(Buffer.concat(chunks));
      done();
    };
    if (this.accepting) take();
    else this.#waiting = take;
  }
}

export interface Wire<C extends Connection = Connection> {
  readonly socket: MemorySocket;
  readonly connection: C;
  readonly exchanges: Exchange[];
  readonly log: string[];
}

export const WIRE: ConnectionSettings["wire"] = {
  maxParams: 1_048_576,
  maxRequestsPerConnection: 1024,
  multiplex: true,
  basePath: "",
  scgiAbortOnFin: false,
};

export interface WireSettings extends Partial<Omit<ConnectionSettings, "wire">> {
  readonly wire?: Partial<ConnectionSettings["wire"]>;
}

export function fastcgi(settings: WireSettings = {}): Wire<FastCgiConnection> {
  return open(settings, (socket, context) => new FastCgiConnection(socket, context));
}

export function scgi(settings: WireSettings = {}): Wire<ScgiConnection> {
  return open(settings, (socket, context) => new ScgiConnection(socket, context));
}

function open<C extends Connection>(
  settings: WireSettings,
  connect: (socket: Socket, context: ConnectionContext) => C,
): Wire<C> {
  const socket = new MemorySocket();
  const exchanges: Exchange[] = [];
  const log: string[] = [];
  const context = new ConnectionContext({
    idleConnectionMs: null,
    log: (line) => log.push(line),
    ...settings,
    wire: { ...WIRE, ...settings.wire },
    handler: (exchange) => {
      exchanges.push(exchange);
      settings.handler?.(exchange);
    },
  });
  return { socket, exchanges, log, connection: connect(socket as unknown as Socket, context) };
}

/** Lets everything happen that does not wait for something outside. */
export async function settle(turns = 3): Promise<void> {
  for (let i = 0; i < turns; i++) await new Promise((resolve) => setImmediate(resolve));
}

/** Feeds the worker, as separate reads. */
export async function feed(wire: Wire, ...chunks: Buffer[]): Promise<void> {
  for (const chunk of chunks) {
    wire.socket.push(chunk);
    await settle(1);
  }
  await settle();
}

/** The peer ends its side. */
export async function fin(wire: Wire): Promise<void> {
  wire.socket.push(null);
  await settle();
}

export interface ReadResponse {
  /** True where the worker has ended the stream with what is no record. */
  readonly broken: boolean;
  readonly head: ResponseHead | undefined;
  readonly body: Buffer;
  readonly stderr: string;
  readonly end: ResponseEnd | undefined;
}

/** What a FastCGI client makes of the worker's output for request `id`. */
export function responseIn(output: Buffer, id = 1): ReadResponse {
  let head: ResponseHead | undefined;
  let end: ResponseEnd | undefined;
  const body: Buffer[] = [];
  const stderr: Buffer[] = [];
  const client = new FastCgiClient();
  client.expect(id, {
    onHead(value) {
      head = value;
    },
    onBody: (chunk) => body.push(chunk),
    onStderr: (chunk) => stderr.push(chunk),
    onEnd(value) {
      end = value;
    },
  });
  let broken = false;
  try {
    client.push(output);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    broken = true;
  }
  return { broken, head, body: Buffer.concat(body), stderr: Buffer.concat(stderr).toString(), end };
}
