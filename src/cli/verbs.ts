/** Every verb of the command line (SPEC §3): its line in the overview, and where it is, loaded only when it is wanted. */

import type { Verb } from "./verb.ts";

export interface VerbEntry {
  readonly name: string;
  /** Its arguments, as the overview shows them. */
  readonly usage: string;
  readonly summary: string;
  /** `null`: planned, and answered with "not implemented yet". */
  readonly load: (() => Promise<Verb>) | null;
}

const entry = (
  name: string,
  usage: string,
  summary: string,
  load: (() => Promise<{ verb: Verb }>) | null = null,
): VerbEntry => ({ name, usage, summary, load: load && (async () => (await load()).verb) });

/** In the order of the overview. */
export const VERBS: readonly VerbEntry[] = [
  entry(
    "run",
    "FILE",
    "serve one file as a pool, in the foreground, no config needed",
    () => import("./run.ts"),
  ),
  entry("start", "", "start the supervisor and wait until every pool is ready", () => import("./start.ts")),
  entry("stop", "", "finish the active requests and stop everything", () => import("./stop.ts")),
  entry(
    "reload",
    "[pool…]",
    "re-read the config and roll the pools, new before old",
    () => import("./reload.ts"),
  ),
  entry("restart", "[pool…]", "roll the pools without re-reading the config", () => import("./restart.ts")),
  entry("upgrade", "", "hand over to a supervisor of the installed version", () => import("./upgrade.ts")),
  entry("scale", "POOL N|+N|-N", "change how many workers a pool has", () => import("./scale.ts")),
  entry("recycle", "POOL[:SLOT]", "replace a pool's workers, or one of them", () => import("./recycle.ts")),
  entry("drain", "POOL", "finish what is active and take nothing new", () => import("./drain.ts")),
  entry("resume", "POOL", "take work again after a drain", () => import("./resume.ts")),
  entry("rollback", "POOL", "back to the previous generation's config", () => import("./rollback.ts")),
  entry("status", "[pool…]", "what every pool and worker is doing", () => import("./status.ts")),
  entry("logs", "[pool…]", "what the workers print", () => import("./logs.ts")),
  entry("events", "", "what happened, and why", () => import("./events.ts")),
  entry("ping", "[POOL]", "exit 0 when healthy: for container probes", () => import("./ping.ts")),
  entry("check", "", "validate the config (-t is an alias)", () => import("./check.ts")),
  entry(
    "request",
    "ADDRESS URI",
    "a client for FastCGI, SCGI and HTTP sockets",
    () => import("./request.ts"),
  ),
  entry("prove", "POOL", "count lost requests while reloading and killing", () => import("./prove.ts")),
  entry("init", "", "write a first ecosystem.json", () => import("./init.ts")),
  entry("completion", "bash|zsh|fish", "print a completion script", () => import("./completion.ts")),
  entry("version", "", "print the version", () => import("./version.ts")),
  entry("why", "[POOL[:SLOT]]", "the evidence of each decision"),
  entry("generate", "WHAT [POOL]", "config for a front end or a service manager"),
  entry("import", "FROM …", "the equivalent of a php-fpm, PM2 or spawn-fcgi set-up"),
  entry("spawn-fcgi", "…", "the flags and behaviour of spawn-fcgi(1)"),
];

/** Flags that stand for a verb. */
export const VERB_ALIASES: ReadonlyMap<string, string> = new Map([
  ["-t", "check"],
  ["-V", "version"],
  ["-v", "version"],
  ["--version", "version"],
]);

/** The verb of that name or alias. */
export function findVerb(name: string): VerbEntry | undefined {
  const wanted = VERB_ALIASES.get(name) ?? name;
  return VERBS.find((verb) => verb.name === wanted);
}
