/** How a program is started as a worker: the command line and what its environment needs beside the pool's own. */

export interface Launch {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** True for what accepts by an event loop, on a non-blocking socket; other programs wait in `accept`. */
  readonly eventLoop?: boolean;
}
