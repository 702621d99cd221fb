/** A server session whose requests are recorded and never answered, except where a test says so. */

import { ProtocolError } from "../../../src/protocol/error.ts";
import {
  type RequestReceiver,
  type ServerRequest,
  ServerSession,
  type SessionOptions,
} from "../../../src/protocol/fastcgi/session.ts";

export class RecordedRequest implements RequestReceiver {
  readonly request: ServerRequest;
  readonly stdin: Buffer[] = [];
  readonly data: Buffer[] = [];
  stdinComplete: boolean;
  dataComplete = false;
  aborted = false;

  constructor(request: ServerRequest) {
    this.request = request;
    this.stdinComplete = request.stdinEnded;
  }

  onStdin(chunk: Buffer): void {
    this.stdin.push(chunk);
  }

  onStdinEnd(): void {
    this.stdinComplete = true;
  }

  onData(chunk: Buffer): void {
    this.data.push(chunk);
  }

  onDataEnd(): void {
    this.dataComplete = true;
  }

  abort(): void {
    this.aborted = true;
  }
}

export interface Recording {
  readonly requests: RecordedRequest[];
  readonly replies: Buffer[];
  /** Of a request that was refused, or of the connection. */
  readonly errors: ProtocolError[];
  /** True where the connection must be closed at once. */
  closed: boolean;
  readonly session: ServerSession;
}

export const DEFAULTS: SessionOptions = {
  maxParams: 1_048_576,
  maxRequests: 1024,
  maxConnections: 1024,
  multiplex: true,
  roles: ["responder"],
  inputReused: false,
};

export function record(options: Partial<SessionOptions> = {}): Recording {
  const requests: RecordedRequest[] = [];
  const replies: Buffer[] = [];
  const errors: ProtocolError[] = [];
  const session = new ServerSession(
    { ...DEFAULTS, ...options },
    {
      onRequest(request) {
        const recorded = new RecordedRequest(request);
        requests.push(recorded);
        request.receiver = recorded;
      },
      onReply: (records) => replies.push(records),
      onRefused: (error) => errors.push(error),
    },
  );
  return { requests, replies, errors, closed: false, session };
}

/** As a connection does: a protocol error closes it, and aborts what is active. */
export function feed(recording: Recording, chunk: Buffer): void {
  if (recording.closed) return;
  guarded(recording, () => recording.session.push(chunk));
}

export function fin(recording: Recording): void {
  if (recording.closed) return;
  guarded(recording, () => recording.session.end());
  recording.closed = true;
}

function guarded(recording: Recording, step: () => void): void {
  try {
    step();
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    recording.errors.push(error);
    recording.closed = true;
    recording.session.abortAll();
  }
}
