/**
 * The C library calls that Node does not offer, through koffi. Nothing outside `system/` calls these: `sockets.ts`,
 * `lock.ts`, `fifo.ts` and `pidfd.ts` put them behind functions that throw {@link SystemError}.
 */

import { createRequire } from "node:module";
import { SystemError } from "./errno.ts";

type Native = (...args: unknown[]) => number;
interface Koffi {
  load(path: string | null): { func(prototype: string): Native };
  errno(): number;
}

const require = createRequire(import.meta.url);
const onMac = process.platform === "darwin";

const PROTOTYPES = {
  socket: "int socket(int domain, int type, int protocol)",
  bind: "int bind(int fd, const void *address, uint length)",
  listen: "int listen(int fd, int backlog)",
  close: "int close(int fd)",
  setsockopt: "int setsockopt(int fd, int level, int name, const void *value, uint length)",
  getsockopt: "int getsockopt(int fd, int level, int name, _Out_ uint8_t *value, _Inout_ uint8_t *length)",
  getsockname: "int getsockname(int fd, _Out_ uint8_t *address, _Inout_ uint8_t *length)",
  fcntl: "int fcntl(int fd, int command, ...)",
  flock: "int flock(int fd, int operation)",
  mkfifo: "int mkfifo(const char *path, uint mode)",
  /** Variadic in C; every argument that we pass is an integer. */
  syscall: "long syscall(long number, long a, long b, long c)",
} as const;

export type CallName = keyof typeof PROTOTYPES;

let koffi: Koffi | undefined;
const bound = new Map<CallName, Native>();

function native(name: CallName): Native {
  let call = bound.get(name);
  if (call === undefined) {
    koffi ??= require("koffi") as Koffi;
    call = koffi.load(onMac ? "libSystem.dylib" : null).func(PROTOTYPES[name]);
    bound.set(name, call);
  }
  return call;
}

/**
 * Calls a function that returns -1 on failure.
 *
 * @param doing what is being attempted, as the start of an error message: `Cannot bind 127.0.0.1:9000`
 * @throws SystemError
 */
export function libc(name: CallName, doing: string, ...args: unknown[]): number {
  const result = native(name)(...args);
  if (result === -1) throw new SystemError(name, koffi!.errno(), doing);
  return result;
}

/** Constants that differ between Linux and macOS. */
export const C = onMac
  ? ({
      AF_UNIX: 1,
      AF_INET: 2,
      AF_INET6: 30,
      SOCK_STREAM: 1,
      SOCK_CLOEXEC: 0,
      SOL_SOCKET: 0xffff,
      SO_REUSEADDR: 4,
      SO_ACCEPTCONN: 2,
      O_NONBLOCK: 4,
    } as const)
  : ({
      AF_UNIX: 1,
      AF_INET: 2,
      AF_INET6: 10,
      SOCK_STREAM: 1,
      SOCK_CLOEXEC: 0o2000000,
      SOL_SOCKET: 1,
      SO_REUSEADDR: 2,
      SO_ACCEPTCONN: 30,
      O_NONBLOCK: 0o4000,
    } as const);

export { onMac };
