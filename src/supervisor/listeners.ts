/** A pool's listening sockets: opened, or taken over from the workers of a supervisor that was killed. */

import * as fs from "node:fs";
import type { ListenSpec } from "../config/types.ts";
import { type Address, formatAddress } from "../core/address.ts";
import { codeOf } from "../system/errno.ts";
import { duplicateFdOf } from "../system/pidfd.ts";
import { isAlive } from "../system/procfs.ts";
import { signalProcess } from "../system/signals.ts";
import {
  adjustListener,
  boundAddress,
  closeListener,
  isServed,
  ListenError,
  openListener,
  type SocketOptions,
} from "../system/sockets.ts";
import { groupId, userId } from "../system/users.ts";

export interface Listener {
  /** As the config file has it: with port 0 where it says so. */
  readonly key: string;
  /** As it came out. */
  readonly address: Address;
  readonly fd: number;
  readonly how: "bound" | "taken-over";
}

/** Live workers of an earlier supervisor that hold a socket for an address: whose fd to ask for. */
export interface Holder {
  readonly pid: number;
  readonly startTime: number;
  readonly fd: number;
}

/** A socket that a running supervisor hands over: an fd that this process was started with. */
export interface Inherited {
  readonly key: string;
  readonly address: Address;
  readonly fd: number;
}

/** Where sockets can be had that are open already. */
export interface Sources {
  /** By address. */
  readonly holders: ReadonlyMap<string, readonly Holder[]>;
  readonly inherited: readonly Inherited[];
}

export const NO_SOURCES: Sources = { holders: new Map(), inherited: [] };

/** How many ports after the one asked for are tried for the `http` listener. */
const PORTS_TRIED = 20;

/** How long orphans may take to close a listening socket after SIGTERM. */
const LET_GO_MS = 5_000;

/**
 * Opens the sockets of a pool, all or none.
 *
 * @throws ListenError
 */
export async function openListeners(specs: readonly ListenSpec[], sources: Sources): Promise<Listener[]> {
  const opened: Listener[] = [];
  try {
    for (const spec of specs) opened.push((await inherit(spec, sources)) ?? (await open(spec, sources)));
    return opened;
  } catch (error) {
    abandonListeners(opened);
    throw error;
  }
}

/** The same for the `http` listener, which moves on to the next free port where its own is taken. */
export async function openHttpListener(spec: ListenSpec, sources: Sources): Promise<Listener[]> {
  const wanted = spec.address;
  if (wanted.kind !== "tcp" || wanted.port === 0) return openListeners([spec], sources);
  const inherited = await inherit(spec, sources);
  if (inherited !== undefined) return [inherited];
  for (let offset = 0; ; offset++) {
    const address = { ...wanted, port: wanted.port + offset };
    try {
      const [listener] = await openListeners([{ ...spec, address }], sources);
      return [{ ...listener!, key: formatAddress(wanted) }];
    } catch (error) {
      const last = offset === PORTS_TRIED || address.port === 65_535;
      if (last || codeOf(error) !== "GWPM_ADDRESS_IN_USE") throw error;
    }
  }
}

/**
 * Closes the sockets and removes the socket files.
 *
 * @param isShared whether another supervisor serves the address too, and needs the file
 */
export function closeListeners(
  listeners: readonly Listener[],
  isShared: (address: Address) => boolean = () => false,
): void {
  for (const { fd, address } of listeners) {
    closeListener(fd);
    if (address.kind === "unix" && !isShared(address)) fs.rmSync(address.path, { force: true });
  }
}

/** Closes sockets that came to no use. Those taken over still serve their former owners' workers under their names. */
export function abandonListeners(listeners: readonly Listener[]): void {
  closeListeners(listeners.filter(({ how }) => how === "bound"));
  for (const { fd, how } of listeners) if (how === "taken-over") closeListener(fd);
}

/** @returns undefined where the socket is not handed over, or not reached by its address any more */
async function inherit(spec: ListenSpec, { inherited }: Sources): Promise<Listener | undefined> {
  const key = formatAddress(spec.address);
  const handed = inherited.find((one) => one.key === key);
  if (handed === undefined) return undefined;
  const { address, fd } = handed;
  const bound = boundAddress(fd);
  if (bound === undefined || !(await reaches(address, bound))) return undefined;
  adjustListener(fd, address, socketOptions(spec));
  return { key, fd, address, how: "taken-over" };
}

async function open(spec: ListenSpec, sources: Sources): Promise<Listener> {
  const options = socketOptions(spec);
  const key = formatAddress(spec.address);
  const holders = sources.holders.get(key) ?? [];
  const fd = holders.length === 0 ? undefined : await takeOver(spec.address, holders);
  if (fd !== undefined) {
    adjustListener(fd, spec.address, options);
    return { key, fd, address: spec.address, how: "taken-over" };
  }
  const orphaned = holders.some(({ pid, startTime }) => isAlive(pid, startTime));
  if (orphaned && spec.address.kind === "tcp") return bindOnceFree(spec, options, holders);
  // A new Unix socket takes the name over from the orphans', who finish what waits in theirs.
  return { key, ...(await openListener(spec.address, { ...options, replaceLive: orphaned })), how: "bound" };
}

/** The very socket that the orphans accept on, so that what waits in its queue is not lost either. */
async function takeOver(address: Address, holders: readonly Holder[]): Promise<number | undefined> {
  for (const { pid, startTime, fd } of holders) {
    if (!isAlive(pid, startTime)) continue;
    let copy: number;
    try {
      copy = duplicateFdOf(pid, fd);
    } catch {
      continue; // Not permitted here, or it died this moment.
    }
    const bound = boundAddress(copy);
    if (bound !== undefined && bound.kind === address.kind && (await reaches(address, bound))) return copy;
    closeListener(copy);
  }
  return undefined;
}

/** @returns whether connecting to the address leads to the socket: its file may have been removed meanwhile */
async function reaches(address: Address, bound: Address): Promise<boolean> {
  if (address.kind === "tcp") return formatAddress(address) === formatAddress(bound);
  return isServed(address);
}

/**
 * A TCP port stays taken while an orphan holds it. Where its socket cannot be had, the orphans are asked to let go,
 * which they do at once while they finish what they have accepted; connections are refused until then.
 */
async function bindOnceFree(
  spec: ListenSpec,
  options: SocketOptions,
  holders: readonly Holder[],
): Promise<Listener> {
  const key = formatAddress(spec.address);
  for (const { pid, startTime } of holders) {
    if (isAlive(pid, startTime)) signalProcess(pid, "SIGTERM");
  }
  const giveUpAt = performance.now() + LET_GO_MS;
  for (;;) {
    try {
      return { key, ...(await openListener(spec.address, options)), how: "bound" };
    } catch (error) {
      if (codeOf(error) !== "GWPM_ADDRESS_IN_USE" || performance.now() > giveUpAt) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** @throws ListenError where the owner or group does not exist */
export function socketOptions(spec: ListenSpec): SocketOptions {
  const { address, backlog, mode, owner, group } = spec;
  if (address.kind === "tcp") return { backlog };
  try {
    return {
      backlog,
      mode,
      ...(owner === null ? {} : { uid: userId(owner) }),
      ...(group === null ? {} : { gid: groupId(group) }),
    };
  } catch (error) {
    throw new ListenError(
      "GWPM_NO_SUCH_USER",
      address,
      error instanceof Error ? error.message : String(error),
      error,
    );
  }
}
