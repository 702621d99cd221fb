/**
 * The option table: one record per option of the config file. Validation, the JSON schema, the reference page
 * (docs/config.md) and the comments that `gwpm init` writes all come from here, so that they cannot disagree.
 */

import { MAX_WORKERS } from "../core/sizing.ts";
import { account } from "./account.ts";
import { address, addressOrOff } from "./address.ts";
import { environment } from "./environment.ts";
import {
  choice,
  duration,
  durationOrOff,
  fileMode,
  flag,
  integer,
  listOf,
  orOff,
  path,
  share,
  size,
  stopSignal,
  text,
} from "./kinds.ts";
import { listenOn } from "./listen.ts";
import type { OptionTable } from "./option.ts";
import { poolList } from "./pool.ts";
import { batch, workers } from "./sizing.ts";
import { watchIgnore, watchOn, watchPath } from "./watch.ts";

const KB = 1024;
const MB = 1024 * KB;

/** The features that pending options wait for, as errors and the reference page name them. */
const LATER = {
  foreign: "pools of programs in any language",
  cgi: "CGI pools",
  python: "WSGI and ASGI pools",
  sizing: "pools that size themselves",
  requestClocks: "request timeouts",
  probes: "health probes",
  canary: "canary reloads",
  privileges: "privileges and limits",
  clients: "client filtering",
  logFiles: "log files with rotation",
  accessLog: "the access log",
  slowLog: "the slow log",
  statusPage: "status pages",
  statusServer: "the status server",
  emergency: "the emergency stop",
} as const;

/** A listener's object form. */
export const LISTEN_OPTIONS = {
  address: {
    kind: address(),
    required: true,
    doc: "Where to listen. A relative Unix path starts at the config file's folder.",
  },
  backlog: {
    kind: integer({ min: 1, max: 65_535 }),
    default: 511,
    doc: "Length of the accept queue; the kernel cuts it to `net.core.somaxconn`.",
  },
  mode: {
    kind: fileMode(),
    default: "0660",
    doc: "Permission bits of the Unix socket: who may connect.",
  },
  owner: {
    kind: account("user"),
    doc: "Owner of the Unix socket.",
    defaultText: "gwpm's own user",
  },
  group: {
    kind: account("group"),
    doc: "Group of the Unix socket, such as the front end's.",
    defaultText: "gwpm's own group",
  },
  allowedClients: {
    type: "list of addresses",
    doc: "The front ends that may connect over TCP.",
    comesWith: LATER.clients,
    off: [[]],
    aka: ["listen.allowed_clients"],
  },
} as const satisfies OptionTable;

/** The object form of `workers`. */
export const WORKERS_OPTIONS = {
  mode: {
    kind: choice(["static"]),
    required: true,
    doc: "`static` keeps `count` workers; `dynamic` and `ondemand` are not implemented yet.",
  },
  count: {
    kind: integer({ min: 1, max: MAX_WORKERS }),
    required: true,
    doc: "How many workers a static pool has.",
  },
  start: { type: "whole number", doc: "Workers of a dynamic pool at its start.", comesWith: LATER.sizing },
  min: { type: "whole number", doc: "The fewest workers of a dynamic pool.", comesWith: LATER.sizing },
  max: { type: "whole number", doc: "The most workers.", comesWith: LATER.sizing, aka: ["max_children"] },
  minSpare: {
    type: "whole number",
    doc: "Idle workers below which a dynamic pool grows.",
    comesWith: LATER.sizing,
  },
  maxSpare: {
    type: "whole number",
    doc: "Idle workers above which a dynamic pool shrinks.",
    comesWith: LATER.sizing,
  },
  maxSpawnRate: {
    type: "whole number",
    doc: "Workers that a dynamic pool starts a second, at most.",
    comesWith: LATER.sizing,
    default: 32,
  },
  idleTimeout: {
    type: "duration",
    doc: "How long an idle worker of an ondemand pool stays.",
    comesWith: LATER.sizing,
    default: "10s",
  },
} as const satisfies OptionTable;

/** The object form of `watch`. */
export const WATCH_OPTIONS = {
  paths: {
    kind: listOf(watchPath()),
    defaultText: "the pool's `cwd`, and its script's folder where that lies elsewhere",
    doc: "Files, folders and globs to watch. Folders that are links are not followed.",
  },
  ignore: {
    kind: listOf(watchIgnore()),
    default: [],
    doc: "What not to watch, beside `node_modules`, the folders of version control, editors' swap files, the run dir and gwpm's own log. A pattern without a slash is a name at any depth.",
    aka: ["ignore_watch"],
  },
  debounce: {
    kind: duration(),
    default: "100ms",
    doc: "How long nothing must have changed before the pool is reloaded.",
    aka: ["watch_delay", "delay"],
  },
} as const satisfies OptionTable;

/** One pool. */
export const POOL_OPTIONS = {
  name: {
    kind: text({
      pattern: /^[a-z0-9][a-z0-9._-]*$/,
      right:
        'is not a pool name; begin with a lower-case letter or a digit, and go on with these, ".", "_" or "-"',
    }),
    required: true,
    doc: "The pool's name, in commands, logs and metrics.",
  },
  script: {
    kind: path(),
    doc: "A Node module that exports a handler or calls `serve()`. Exactly one of `script`, `command`, `cgi`, `wsgi` and `asgi` is required.",
    aka: ["exec", "main", "file"],
  },
  command: {
    type: "list of strings",
    doc: "The command line of any program that accepts connections on its file descriptor 0.",
    comesWith: LATER.foreign,
  },
  cgi: { type: "object", doc: "A folder of classic CGI scripts: `{root, …}`.", comesWith: LATER.cgi },
  wsgi: { type: "string", doc: 'A WSGI application: `"package.module:attr"`.', comesWith: LATER.python },
  asgi: { type: "string", doc: 'An ASGI application: `"package.module:attr"`.', comesWith: LATER.python },
  args: { kind: listOf(text()), default: [], doc: "Arguments of the program." },
  nodeArgs: {
    kind: listOf(text()),
    default: [],
    doc: 'Arguments of Node itself, such as `["--max-old-space-size=512"]`.',
    aka: ["interpreterArgs", "execArgv"],
  },
  python: {
    type: "string",
    doc: "The Python interpreter or virtual environment of a WSGI or ASGI pool.",
    comesWith: LATER.python,
  },
  cwd: {
    kind: path(),
    default: ".",
    defaultText: "the config file's folder",
    doc: "The workers' working directory.",
    aka: ["chdir"],
  },
  protocol: {
    kind: choice(["fastcgi", "scgi", "http"]),
    default: "fastcgi",
    doc: "What the front end speaks to the pool.",
  },
  listen: {
    kind: listenOn(LISTEN_OPTIONS),
    required: true,
    doc: "Where the front end reaches the pool: an address, an object with the keys below, or a list of these.",
  },
  http: {
    kind: addressOrOff(),
    default: false,
    doc: "Also serves the pool over plain HTTP here, through the built-in gateway: for trying things out and for tests. When the port is taken, the next free one is used.",
  },
  workers: {
    kind: workers(WORKERS_OPTIONS),
    defaultText: "the number of CPUs that the cgroup allows",
    doc: "How many workers: a number, or an object with the keys below.",
    aka: ["instances", "processes"],
  },
  concurrency: {
    kind: integer({ min: 1, max: 65_535 }),
    default: 100,
    doc: "Requests that one worker serves at a time; it decides when a worker counts as saturated.",
  },
  "recycle.maxRequests": {
    kind: orOff(integer({ min: 1, max: Number.MAX_SAFE_INTEGER })),
    default: false,
    doc: "Requests after which a worker is replaced.",
    aka: ["max_requests", "pm.max_requests"],
  },
  "recycle.jitter": {
    kind: share(),
    default: 0.1,
    doc: "Spreads `maxRequests` and `maxLifetime` over the workers, as a share of them either way, so that they are not all replaced together.",
  },
  "recycle.maxLifetime": {
    kind: durationOrOff(),
    default: false,
    doc: "Age at which a worker is replaced.",
  },
  "recycle.maxMemory": {
    kind: orOff(size({ min: MB, max: Number.MAX_SAFE_INTEGER })),
    default: false,
    doc: "Resident memory from which on a worker is replaced; it finishes what it serves.",
    aka: ["max_memory_restart"],
  },
  "recycle.maxMemoryHard": {
    kind: orOff(size({ min: MB, max: Number.MAX_SAFE_INTEGER })),
    default: false,
    doc: "Resident memory from which on a worker is killed at once, with what it serves.",
  },
  "recycle.maxIdle": {
    kind: durationOrOff(),
    default: false,
    doc: "How long a worker may have nothing to do before it is replaced.",
  },
  "timeouts.start": {
    kind: duration(1),
    default: "30s",
    doc: "How long a worker may take to become ready.",
    aka: ["listen_timeout"],
  },
  "timeouts.request": {
    type: "duration, or `false`",
    doc: "How long a request may take before its worker is killed.",
    comesWith: LATER.requestClocks,
    off: [0],
    aka: ["request_terminate_timeout"],
  },
  "timeouts.slow": {
    type: "duration, or `false`",
    doc: "How long a request may take before it is written to the slow log.",
    comesWith: LATER.slowLog,
    off: [0],
    aka: ["request_slowlog_timeout"],
  },
  "timeouts.stop": {
    kind: duration(),
    default: "30s",
    doc: "How long a draining worker may take to finish its requests before `stopSignal`, and then SIGKILL, ends it.",
    aka: ["kill_timeout", "process_control_timeout"],
  },
  "timeouts.idleConnection": {
    kind: durationOrOff(),
    default: false,
    doc: "How long a kept-alive connection may be idle before the worker closes it. Keep it longer than the front end's own idle timeout.",
    aka: ["keepalive_timeout"],
  },
  "probe.uri": {
    type: "string",
    doc: "The request that a healthy worker answers.",
    comesWith: LATER.probes,
  },
  "probe.interval": {
    type: "duration",
    doc: "Time from probe to probe.",
    comesWith: LATER.probes,
    default: "10s",
  },
  "probe.timeout": {
    type: "duration",
    doc: "How long an answer may take.",
    comesWith: LATER.probes,
    default: "2s",
  },
  "probe.failures": {
    type: "whole number",
    doc: "Failures in a row that make a worker unhealthy.",
    comesWith: LATER.probes,
    default: 3,
  },
  "probe.status": {
    type: "list of two numbers",
    doc: "The first and the last status that count as healthy.",
    comesWith: LATER.probes,
    default: [200, 399],
  },
  "probe.params": {
    type: "object of strings",
    doc: "CGI variables of the probe.",
    comesWith: LATER.probes,
    off: [{}],
  },
  "reload.batch": {
    kind: batch(),
    default: 1,
    doc: 'How many workers a reload replaces at a time: a number, or a share such as `"25%"`.',
  },
  "reload.canary.workers": {
    type: "whole number",
    doc: "New workers that are tried first.",
    comesWith: LATER.canary,
    off: [0],
  },
  "reload.canary.for": {
    type: "duration",
    doc: "How long they are tried.",
    comesWith: LATER.canary,
    off: [0],
  },
  "reload.canary.maxErrorRate": {
    type: "number",
    doc: "The share of failed requests above which the reload is rolled back.",
    comesWith: LATER.canary,
  },
  watch: {
    kind: watchOn(WATCH_OPTIONS),
    default: false,
    doc: "Reloads the pool when its files change: `true` for its `cwd`, a list of files, folders and globs, or an object with the keys below.",
    aka: ["ignore_watch", "watch_delay"],
  },
  env: {
    kind: environment,
    default: {},
    doc: "Environment variables of the workers, on top of the supervisor's own.",
  },
  "env_<name>": {
    kind: environment,
    doc: "Laid over `env` when the command line says `--env <name>`.",
  },
  clearEnv: {
    kind: flag(),
    default: false,
    doc: "Starts the workers with `env` alone, without the supervisor's own environment.",
    aka: ["clear_env", "filter_env"],
  },
  user: {
    type: "user name or id",
    doc: "Whom the workers run as.",
    comesWith: LATER.privileges,
    aka: ["uid"],
  },
  group: {
    type: "group name or id",
    doc: "The workers' group.",
    comesWith: LATER.privileges,
    aka: ["gid"],
  },
  umask: {
    type: "octal digits",
    doc: "The workers' file mode creation mask.",
    comesWith: LATER.privileges,
  },
  nice: {
    type: "whole number",
    doc: "The workers' scheduling priority.",
    comesWith: LATER.privileges,
    off: [0],
    aka: ["process.priority"],
  },
  "limits.nofile": {
    type: "whole number",
    doc: "Open files per worker.",
    comesWith: LATER.privileges,
    aka: ["rlimit_files"],
  },
  "limits.core": {
    type: "size",
    doc: "Size of a core dump.",
    comesWith: LATER.privileges,
    aka: ["rlimit_core"],
  },
  "limits.as": { type: "size", doc: "Address space of a worker.", comesWith: LATER.privileges },
  "limits.cpu": { type: "duration", doc: "CPU time of a worker.", comesWith: LATER.privileges },
  chroot: { type: "path", doc: "The workers' root directory.", comesWith: LATER.privileges },
  stopSignal: {
    kind: stopSignal(),
    default: "SIGTERM",
    doc: "The signal that asks a worker to end when draining has taken too long.",
    aka: ["kill_signal"],
  },
  "logs.stdout": {
    type: "path",
    doc: "File for the workers' standard output.",
    comesWith: LATER.logFiles,
    aka: ["out_file"],
  },
  "logs.stderr": {
    type: "path",
    doc: "File for the workers' standard error.",
    comesWith: LATER.logFiles,
    aka: ["error_file"],
  },
  "logs.decorate": {
    type: "`true` or `false`",
    doc: "Puts time, pool and slot before each line.",
    comesWith: LATER.logFiles,
    aka: ["decorate_workers_output"],
  },
  "logs.maxLine": {
    kind: size({ min: 256, max: 16 * MB }),
    default: "64KB",
    doc: "Where a longer line of a worker's output is cut.",
    aka: ["log_limit"],
  },
  "logs.rotate.size": {
    type: "size",
    doc: "Size at which a log file is rotated.",
    comesWith: LATER.logFiles,
    off: [0],
  },
  "logs.rotate.keep": {
    type: "whole number",
    doc: "Rotated files to keep.",
    comesWith: LATER.logFiles,
  },
  "accessLog.file": { type: "path", doc: "File for a line per request.", comesWith: LATER.accessLog },
  "accessLog.format": {
    type: "string",
    doc: 'A php-fpm format string, or `"json"`.',
    comesWith: LATER.accessLog,
  },
  slowLog: {
    type: "path",
    doc: "File for the stacks of requests that take longer than `timeouts.slow`.",
    comesWith: LATER.slowLog,
  },
  statusPath: {
    type: "string",
    doc: "URI of the status page that the workers answer.",
    comesWith: LATER.statusPage,
    aka: ["pm.status_path"],
  },
  pingPath: {
    type: "string",
    doc: "URI that the workers answer with `pingResponse`.",
    comesWith: LATER.statusPage,
    aka: ["ping.path"],
  },
  pingResponse: {
    type: "string",
    doc: "The answer to `pingPath`.",
    comesWith: LATER.statusPage,
    default: "pong",
    aka: ["ping.response"],
  },
  "restart.backoff.min": {
    kind: duration(1),
    default: "100ms",
    doc: "The pause before a crashed worker's first restart; it doubles from crash to crash, ±20 %.",
    aka: ["restart_delay"],
  },
  "restart.backoff.max": {
    kind: duration(1),
    default: "30s",
    doc: "The longest pause.",
    aka: ["exp_backoff_restart_delay"],
  },
  "restart.degradedAfter": {
    kind: integer({ min: 1, max: 10_000 }),
    default: 5,
    doc: "Crashes within `restart.window` that make the pool degraded: it says so, and retries slowly.",
    aka: ["max_restarts"],
  },
  "restart.window": {
    kind: duration(1),
    default: "1m",
    doc: "The time in which crashes are counted.",
    aka: ["min_uptime"],
  },
  "wire.maxParams": {
    kind: size({ min: KB, max: 1024 * MB }),
    default: "1MB",
    doc: "The most that the CGI variables of one request may take; more is refused.",
  },
  "wire.maxRequestsPerConnection": {
    kind: integer({ min: 1, max: 65_535 }),
    default: 1024,
    doc: "Requests that a front end may have open on one FastCGI connection.",
  },
  "wire.multiplex": {
    kind: flag(),
    default: true,
    doc: "Whether a front end may open a second request on a FastCGI connection before the first has ended.",
  },
  "wire.basePath": {
    kind: text({
      label: "URI path",
      pattern: /^(\/[^?#\s]*[^?#\s/])?$/,
      right: 'is not a base path; begin with "/" and leave out the last one, such as "/app"',
    }),
    default: "",
    doc: "The part of the URI in front of the application's own, such as `/app`, taken off `req.url`.",
  },
  "wire.scgiAbortOnFin": {
    kind: flag(),
    default: false,
    doc: "Takes an SCGI front end's half-close for an abort.",
  },
} as const satisfies OptionTable;

/** The top level. */
export const SUPERVISOR_OPTIONS = {
  $schema: { kind: text(), doc: "For editors: where `ecosystem.schema.json` lies." },
  pools: {
    kind: poolList(POOL_OPTIONS),
    required: true,
    doc: "The pools, at least one.",
    aka: ["apps"],
  },
  runDir: {
    kind: path(),
    doc: "Folder of the control socket, the pid file and the journal, and the place for the pools' sockets.",
    defaultText: "`$GWPM_HOME`, else `/run/gwpm` for root, else `$XDG_RUNTIME_DIR/gwpm`, else `~/.gwpm/run`",
  },
  controlSocket: {
    kind: path(),
    doc: "The Unix socket through which commands reach the supervisor.",
    defaultText: "`control.sock` in `runDir`",
  },
  pidFile: {
    kind: path(),
    doc: "File with the supervisor's process id.",
    defaultText: "`gwpm.pid` in `runDir`",
    aka: ["pid"],
  },
  "log.level": {
    kind: choice(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
    default: "info",
    doc: "The least severe messages that the supervisor logs.",
    aka: ["log_level"],
  },
  "log.file": {
    kind: path(),
    doc: "File for the supervisor's own log.",
    defaultText: "standard error in the foreground, a file in `runDir` in the background",
    aka: ["error_log"],
  },
  "log.format": {
    kind: choice(["json", "pretty"]),
    doc: "How the supervisor's log is written: a JSON object a line, or for people.",
    defaultText: "`json` with `log.file`, else `pretty`",
  },
  "status.listen": {
    type: "address",
    doc: "Serves the status page and the metrics over HTTP here.",
    comesWith: LATER.statusServer,
  },
  "emergency.restarts": {
    type: "whole number",
    doc: "Crashes within `emergency.window` that restart the supervisor's pools.",
    comesWith: LATER.emergency,
    off: [0],
    aka: ["emergency_restart_threshold"],
  },
  "emergency.window": {
    type: "duration",
    doc: "The time in which these crashes are counted.",
    comesWith: LATER.emergency,
    off: [0],
    aka: ["emergency_restart_interval"],
  },
  stopTimeout: {
    kind: duration(),
    default: "30s",
    doc: "How long `gwpm stop` waits for active requests.",
  },
  maxProcesses: {
    type: "whole number",
    doc: "The most workers of all pools together.",
    comesWith: LATER.sizing,
    off: [0],
    aka: ["process.max"],
  },
  daemonize: {
    kind: flag(),
    default: true,
    doc: "Whether `gwpm start` goes to the background; `--foreground` overrides it.",
  },
} as const satisfies OptionTable;
