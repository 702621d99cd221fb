/**
 * Lets accepted sockets read into one shared buffer. By default Node allocates 64 KiB for each read; `onread` avoids it, which halves the
 * user time of a small request, but `net.Server` has no option for it. What `net.Socket`'s constructor would do is done here afterwards,
 * where this version of Node has the same parts; where it has not, the socket emits 'data' as usual.
 */

import { Socket } from "node:net";

/** `size` bytes have been read into `buffer`, which is used again after the call: whatever is kept must be copied. */
export type SharedRead = (buffer: Buffer, size: number) => void;

interface Handle {
  useUserBuffer?(buffer: Uint8Array): void;
}

const SIZE = 65_536;
/** Safe to share: libuv fills it and calls back before it reads from the next socket. */
const shared = Buffer.allocUnsafeSlow(SIZE);

const symbols = Object.getOwnPropertySymbols(new Socket());
const bufferSymbol = symbols.find(({ description }) => description === "kBuffer");
const callbackSymbol = symbols.find(({ description }) => description === "kBufferCb");

/** @returns false where it is not possible */
export function readShared(socket: Socket, onRead: SharedRead): boolean {
  const handle = (socket as unknown as { _handle: Handle | null })._handle;
  if (bufferSymbol === undefined || callbackSymbol === undefined) return false;
  if (typeof handle?.useUserBuffer !== "function") return false;
  const slots = socket as unknown as Record<symbol, unknown>;
  if (!(bufferSymbol in slots) || !(callbackSymbol in slots)) return false;
  slots[bufferSymbol] = shared;
  slots[callbackSymbol] = (size: number, buffer: Buffer) => {
    onRead(buffer, size);
    return true;
  };
  handle.useUserBuffer(shared);
  return true;
}
