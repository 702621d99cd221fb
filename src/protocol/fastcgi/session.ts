/**
 * The server side of one FastCGI connection as a state machine without a socket: bytes in, requests and replies out. It knows which ids
 * are active and what each may still send; a peer that breaks the rules gets a {@link ProtocolError}, and its connection is closed.
 */

import { ByteCollector } from "../byte-collector.ts";
import { ProtocolError } from "../error.ts";
import { KEEP_CONN, ProtocolStatus, Role, Type } from "./constants.ts";
import { RecordDecoder, type RecordSink } from "./decoder.ts";
import { encodeEndRequest, encodeGetValuesResult, encodeRefusal, encodeUnknownType } from "./encode.ts";
import { PairCursor } from "./name-values.ts";
import { FastCgiParams } from "./params.ts";

export type RoleName = "responder" | "authorizer" | "filter";

export interface SessionOptions {
  /** The longest PARAMS stream, in bytes. */
  readonly maxParams: number;
  /** How many requests may be active on the connection at a time. */
  readonly maxRequests: number;
  /** Told to those who ask (FCGI_MAX_CONNS); not enforced here. */
  readonly maxConnections: number;
  /** False: one request at a time (FCGI_MPXS_CONNS=0). */
  readonly multiplex: boolean;
  readonly roles: readonly RoleName[];
  /** True where the buffer given to {@link ServerSession.push} is used again: what is kept is then copied. */
  readonly inputReused: boolean;
}

/** What a dispatched request still receives. Nothing is called any more after {@link ServerSession.finish}. */
export interface RequestReceiver {
  onStdin(chunk: Buffer): void;
  onStdinEnd(): void;
  /** The second stream of a filter. */
  onData(chunk: Buffer): void;
  onDataEnd(): void;
  /** The front end gave the request up; it no longer counts as active. */
  abort(): void;
}

export interface SessionDelegate {
  /**
   * A request can be served: its PARAMS are complete. Its `stdinEnded` is already true where the end of an empty body followed in the same
   * chunk. Sets the request's `receiver`.
   */
  onRequest(request: ServerRequest): void;
  /** Whole records that the session itself answers with. */
  onReply(records: Buffer): void;
  /** A request that no handler will see; it has been answered, except after FCGI_TRUNCATED. */
  onRefused(error: ProtocolError): void;
}

const NO_PARAMS = new FastCgiParams("");
const ROLE_NAMES: Readonly<Record<number, RoleName>> = {
  [Role.RESPONDER]: "responder",
  [Role.AUTHORIZER]: "authorizer",
  [Role.FILTER]: "filter",
};
const BEGIN_LENGTH = 8;
/** {@link ServerSession} skips the content of the current record. */
const SKIP = 0;

/** One active request. */
export class ServerRequest {
  readonly id: number;
  readonly role: RoleName;
  readonly keepConnection: boolean;
  params: FastCgiParams = NO_PARAMS;
  stdinEnded = false;
  dataEnded: boolean;
  /** True once PARAMS have ended. */
  dispatched = false;
  receiver: RequestReceiver | null = null;
  /** The first part of PARAMS, nearly always all of them, and what followed it; while they are incomplete. */
  paramsText = "";
  moreParams: ByteCollector | null = null;

  constructor(id: number, role: RoleName, keepConnection: boolean) {
    this.id = id;
    this.role = role;
    this.keepConnection = keepConnection;
    this.dataEnded = role !== "filter";
  }
}

export class ServerSession implements RecordSink {
  readonly #options: SessionOptions;
  readonly #delegate: SessionDelegate;
  readonly #decoder: RecordDecoder;
  /** Nearly all connections carry one request at a time: the map is made when a second one appears. */
  #single: ServerRequest | null = null;
  #others: Map<number, ServerRequest> | null = null;
  /** PARAMS have ended, the handler has not been called: the end of an empty body may follow in the same chunk. */
  #ready: ServerRequest | null = null;
  #closing = false;
  #stopped = false;
  /** The record whose content is being read: its type or {@link SKIP}, its id, its request. */
  #contentType: number = SKIP;
  #contentId = 0;
  #contentRequest: ServerRequest | null = null;
  /** The content of BEGIN_REQUEST and GET_VALUES, which is used whole. */
  #whole: ByteCollector | null = null;

  constructor(options: SessionOptions, delegate: SessionDelegate) {
    this.#options = options;
    this.#delegate = delegate;
    this.#decoder = new RecordDecoder(this);
  }

  /** Requests begun and not finished. */
  get activeCount(): number {
    return (this.#single === null ? 0 : 1) + (this.#others?.size ?? 0);
  }

  /** Nothing begun, no part of a record read: another process could take over here. */
  get atBoundary(): boolean {
    return this.activeCount === 0 && this.#decoder.atBoundary;
  }

  /** True once the connection is to be closed as soon as no request is active: one of them came without KEEP_CONN. */
  get closing(): boolean {
    return this.#closing;
  }

  requests(): ServerRequest[] {
    const all = this.#others === null ? [] : [...this.#others.values()];
    if (this.#single !== null) all.unshift(this.#single);
    return all;
  }

  /**
   * Takes what has been read: the first `size` bytes of `chunk`.
   * @throws ProtocolError where the connection must be closed at once, without an answer; call {@link abortAll} then
   */
  push(chunk: Buffer, size = chunk.length): void {
    this.#decoder.push(chunk, size);
    if (this.#ready !== null) this.#dispatch();
  }

  /**
   * The peer will send no more. Whatever is active is aborted: a front end that ends its side has lost interest (nginx, HAProxy), or died
   * with the body half sent.
   * @throws ProtocolError `FCGI_TRUNCATED` where it ended in the middle of something that no handler knows of
   */
  end(): void {
    const dispatched = this.requests().some((request) => request.dispatched);
    const clean = this.activeCount === 0 && this.#decoder.atBoundary;
    this.abortAll();
    if (!clean && !dispatched) {
      throw new ProtocolError(
        "FCGI_TRUNCATED",
        "The connection ended inside a record or before the end of PARAMS",
      );
    }
  }

  /** Aborts every active request, and reads nothing more. */
  abortAll(): void {
    this.#stopped = true;
    this.#ready = null;
    for (const request of this.requests()) {
      this.finish(request);
      request.receiver?.abort();
    }
  }

  /** The request has been answered with END_REQUEST: what still arrives for its id is ignored. */
  finish(request: ServerRequest): void {
    if (this.#single === request) this.#single = null;
    else if (this.#others?.get(request.id) === request) this.#others.delete(request.id);
    if (this.#contentRequest === request) this.#skip();
  }

  /** Reads nothing more, for a connection that has been given up. */
  stop(): void {
    this.#stopped = true;
  }

  onRecord(type: number, id: number, length: number): boolean {
    if (this.#ready !== null) {
      if (type === Type.STDIN && length === 0 && id === this.#ready.id) {
        this.#ready.stdinEnded = true;
        this.#skip();
        this.#dispatch();
        return !this.#stopped;
      }
      this.#dispatch();
      if (this.#stopped) return false;
    }
    this.#skip();
    if (id === 0) this.#managementRecord(type, length);
    else this.#applicationRecord(type, id, length);
    return !this.#stopped;
  }

  onContent(chunk: Buffer, start: number, end: number, last: boolean): boolean {
    const request = this.#contentRequest;
    switch (this.#contentType) {
      case Type.PARAMS:
        collectParams(request!, chunk, start, end);
        break;
      case Type.STDIN:
        request!.receiver!.onStdin(this.#slice(chunk, start, end));
        break;
      case Type.DATA:
        request!.receiver!.onData(this.#slice(chunk, start, end));
        break;
      case Type.BEGIN_REQUEST:
        if (end - start === BEGIN_LENGTH) this.#begin(this.#contentId, chunk, start);
        else this.#collectWhole(chunk, start, end, last);
        break;
      case Type.GET_VALUES:
        this.#collectWhole(chunk, start, end, last);
        break;
    }
    return !this.#stopped;
  }

  #applicationRecord(type: number, id: number, length: number): void {
    switch (type) {
      case Type.BEGIN_REQUEST:
        this.#expectBegin(id, length);
        break;
      case Type.PARAMS:
        this.#paramsRecord(this.#find(id), length);
        break;
      case Type.STDIN:
      case Type.DATA:
        this.#streamRecord(type, this.#find(id), length);
        break;
      case Type.ABORT_REQUEST:
        this.#abort(this.#find(id));
        break;
      case Type.END_REQUEST:
      case Type.STDOUT:
      case Type.STDERR:
        if (this.#find(id) !== undefined) unexpected(`a record of type ${type}, which only servers send`, id);
        break;
      // Unknown types that belong to a request are skipped: UNKNOWN_TYPE answers management records only (section 4.2).
    }
  }

  #managementRecord(type: number, length: number): void {
    switch (type) {
      case Type.BEGIN_REQUEST:
        this.#expectBegin(0, length);
        break;
      case Type.GET_VALUES:
        if (length === 0) this.#delegate.onReply(encodeGetValuesResult(new Map()));
        else this.#read(type, 0, null);
        break;
      case Type.GET_VALUES_RESULT:
      case Type.UNKNOWN_TYPE:
        // Answers to questions that we did not ask; answering them could go on for ever.
        break;
      default:
        this.#delegate.onReply(encodeUnknownType(type));
    }
  }

  #expectBegin(id: number, length: number): void {
    if (id === 0 || length !== BEGIN_LENGTH) {
      throw new ProtocolError(
        "FCGI_BAD_BEGIN",
        `BEGIN_REQUEST needs an id other than 0 and 8 bytes of content, got id ${id} and ${length} bytes`,
      );
    }
    if (this.#find(id) !== undefined) unexpected("BEGIN_REQUEST", id);
    this.#read(Type.BEGIN_REQUEST, id, null);
  }

  /** @param at where the content of BEGIN_REQUEST lies in `bytes` */
  #begin(id: number, bytes: Buffer, at: number): void {
    const roleNumber = (bytes[at]! << 8) | bytes[at + 1]!;
    const keepConnection = (bytes[at + 2]! & KEEP_CONN) !== 0;
    if (!keepConnection) this.#closing = true;
    const role = ROLE_NAMES[roleNumber];
    if (role === undefined || !this.#options.roles.includes(role)) {
      const error = new ProtocolError(
        "FCGI_UNKNOWN_ROLE",
        `This worker does not serve role ${role ?? roleNumber}`,
      );
      this.#refuse(id, "500 Internal Server Error", ProtocolStatus.UNKNOWN_ROLE, error);
      return;
    }
    const active = this.activeCount;
    if (active > 0 && !this.#options.multiplex) {
      const error = new ProtocolError(
        "FCGI_CANT_MPX_CONN",
        "A second request on a connection that is not multiplexed",
      );
      this.#refuse(id, "503 Service Unavailable", ProtocolStatus.CANT_MPX_CONN, error);
    } else if (active >= this.#options.maxRequests) {
      const error = new ProtocolError(
        "FCGI_OVERLOADED",
        `${active} requests are active on the connection, the limit`,
      );
      this.#refuse(id, "503 Service Unavailable", ProtocolStatus.OVERLOADED, error);
    } else {
      this.#add(new ServerRequest(id, role, keepConnection));
    }
  }

  #paramsRecord(request: ServerRequest | undefined, length: number): void {
    if (request === undefined) return;
    if (request.dispatched) unexpected("PARAMS after the end of PARAMS", request.id);
    if (length === 0) {
      this.#paramsEnd(request);
    } else if (
      request.paramsText.length + (request.moreParams?.length ?? 0) + length >
      this.#options.maxParams
    ) {
      this.#reject(
        request,
        "431 Request Header Fields Too Large",
        new ProtocolError(
          "FCGI_PARAMS_TOO_LARGE",
          `PARAMS are longer than the limit of ${this.#options.maxParams} bytes`,
        ),
      );
    } else {
      this.#read(Type.PARAMS, request.id, request);
    }
  }

  #paramsEnd(request: ServerRequest): void {
    try {
      const more = request.moreParams?.take().toString("latin1") ?? "";
      request.params = new FastCgiParams(request.paramsText + more);
    } catch (error) {
      this.#reject(request, "400 Bad Request", error as ProtocolError);
      return;
    }
    request.paramsText = "";
    request.moreParams = null;
    request.dispatched = true;
    this.#ready = request;
  }

  #streamRecord(type: number, request: ServerRequest | undefined, length: number): void {
    if (request === undefined) return;
    if (!request.dispatched) unexpected("a body before the end of PARAMS", request.id);
    const isStdin = type === Type.STDIN;
    // Data after the end of its stream is ignored, as other servers do.
    if (isStdin ? request.stdinEnded : request.dataEnded) return;
    if (length > 0) {
      this.#read(type, request.id, request);
    } else if (isStdin) {
      request.stdinEnded = true;
      request.receiver!.onStdinEnd();
    } else {
      request.dataEnded = true;
      request.receiver!.onDataEnd();
    }
  }

  #abort(request: ServerRequest | undefined): void {
    if (request === undefined) return;
    this.finish(request);
    request.receiver?.abort();
    // The only END_REQUEST without a response: the front end has asked for it (section 5.4).
    this.#delegate.onReply(encodeEndRequest(request.id, ProtocolStatus.REQUEST_COMPLETE));
  }

  #dispatch(): void {
    const request = this.#ready!;
    this.#ready = null;
    this.#delegate.onRequest(request);
  }

  /** Answers a request that was begun; the connection is closed after it, as the peer and we may not agree on what was sent. */
  #reject(request: ServerRequest, status: string, error: ProtocolError): void {
    this.#closing = true;
    this.finish(request);
    this.#refuse(request.id, status, ProtocolStatus.REQUEST_COMPLETE, error);
  }

  #refuse(id: number, status: string, protocolStatus: number, error: ProtocolError): void {
    this.#delegate.onRefused(error);
    this.#delegate.onReply(encodeRefusal(id, status, protocolStatus));
  }

  #collectWhole(chunk: Buffer, start: number, end: number, last: boolean): void {
    let content = this.#slice(chunk, start, end);
    if (!last || this.#whole !== null) {
      this.#whole ??= new ByteCollector();
      this.#whole.add(content);
      if (!last) return;
      content = this.#whole.take();
      this.#whole = null;
    }
    if (this.#contentType === Type.BEGIN_REQUEST) this.#begin(this.#contentId, content, 0);
    else this.#answerValues(content);
  }

  /** Unknown names are left out (section 4.1); so is everything after a pair that is cut off. */
  #answerValues(content: Buffer): void {
    const known: Readonly<Record<string, number>> = {
      FCGI_MAX_CONNS: this.#options.maxConnections,
      FCGI_MAX_REQS: this.#options.maxRequests,
      FCGI_MPXS_CONNS: this.#options.multiplex ? 1 : 0,
    };
    const values = new Map<string, string>();
    const text = content.toString("latin1");
    const cursor = new PairCursor(text);
    while (cursor.next()) {
      const name = text.slice(cursor.nameStart, cursor.valueStart);
      if (Object.hasOwn(known, name)) values.set(name, String(known[name]));
    }
    this.#delegate.onReply(encodeGetValuesResult(values));
  }

  #find(id: number): ServerRequest | undefined {
    if (this.#single?.id === id) return this.#single;
    return this.#others?.get(id);
  }

  #add(request: ServerRequest): void {
    if (this.#single === null && !this.#others?.size) {
      this.#single = request;
    } else {
      this.#others ??= new Map();
      this.#others.set(request.id, request);
    }
  }

  #read(type: number, id: number, request: ServerRequest | null): void {
    this.#contentType = type;
    this.#contentId = id;
    this.#contentRequest = request;
  }

  #skip(): void {
    this.#contentType = SKIP;
    this.#contentRequest = null;
  }

  #slice(chunk: Buffer, start: number, end: number): Buffer {
    const slice = chunk.subarray(start, end);
    return this.#options.inputReused ? Buffer.from(slice) : slice;
  }
}

/** A list of strings would cost far more than its characters where a peer sends PARAMS byte by byte. */
function collectParams(request: ServerRequest, chunk: Buffer, start: number, end: number): void {
  if (request.paramsText === "") {
    request.paramsText = chunk.toString("latin1", start, end);
  } else {
    request.moreParams ??= new ByteCollector();
    request.moreParams.add(Buffer.from(chunk.subarray(start, end)));
  }
}

function unexpected(what: string, id: number): never {
  throw new ProtocolError("FCGI_UNEXPECTED_RECORD", `Got ${what}, for the active request ${id}`);
}
