// biome-ignore-all lint/suspicious/noTemplateCurlyInString: config files hold such strings
/** Every error of a config file: its place, its path, its words. */

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Folder, host, pool } from "./folder.ts";

let folder: Folder;
beforeAll(() => {
  folder = new Folder();
  mkdirSync(join(folder.path, "dir"));
  folder.write("app.ts", "");
});
afterAll(() => folder.remove());

const PROGRAM_CHOICE =
  'has no program to run; write exactly one of "script", "command", "cgi", "wsgi" and "asgi"';

describe("one error in one pool", () => {
  const cases: [string, Record<string, unknown>, ...string[]][] = [
    ["misspelt key", { wrokers: 2 }, 'wrokers: unknown key "wrokers"; did you mean "workers"?'],
    ["PM2's name", { instances: 2 }, 'instances: unknown key "instances"; did you mean "workers"?'],
    [
      "php-fpm's name",
      { request_terminate_timeout: 1 },
      'request_terminate_timeout: unknown key "request_terminate_timeout"; did you mean "timeouts.request"?',
    ],
    [
      "key outside of its group",
      { maxLine: "1KB" },
      'maxLine: unknown key "maxLine"; did you mean "logs.maxLine"?',
    ],
    [
      "key like nothing",
      { timeouts: { zzzzzz: 1 } },
      'timeouts.zzzzzz: unknown key "zzzzzz"; the known ones are idleConnection, request, slow, start, stop',
    ],
    [
      "strange key",
      { env: { "A=B": "" } },
      'env["A=B"]: "A=B" cannot be the name of an environment variable',
    ],
    ["number for a string", { name: 5 }, "name: must be a string, not 5"],
    [
      "bad name",
      { name: "My App" },
      'name: "My App" is not a pool name; begin with a lower-case letter or a digit, and go on with these, ".", "_" or "-"',
    ],
    ["no such script", { script: "nope.mjs" }, "script: there is no file <dir>/nope.mjs"],
    ["script is a folder", { script: "dir" }, "script: <dir>/dir is not a file"],
    ["empty script", { script: "" }, "script: is an empty path"],
    ["NUL byte", { script: "a\0b" }, "script: cannot hold a NUL byte"],
    ["no such cwd", { cwd: "nope" }, "cwd: there is no folder <dir>/nope"],
    ["cwd is a file", { cwd: "app.mjs" }, "cwd: <dir>/app.mjs is not a folder"],
    ["args as a string", { args: "-x" }, 'args: must be a list, not "-x"'],
    ["number among args", { args: ["-x", 1] }, "args[1]: must be a string, not 1"],
    ["unknown protocol", { protocol: "uwsgi" }, 'protocol: must be "fastcgi", "scgi" or "http", not "uwsgi"'],
    [
      "address without a port",
      { listen: "localhost" },
      'listen: "localhost" is not an address; write "unix:/run/app.sock", "127.0.0.1:9000" or "[::1]:9000"',
    ],
    [
      "port as a number",
      { listen: 9000 },
      'listen: must be an address such as "unix:/run/app.sock" or "127.0.0.1:9000", not 9000',
    ],
    [
      "port too high",
      { listen: "127.0.0.1:70000" },
      'listen: port 70000 in "127.0.0.1:70000" is above 65535',
    ],
    [
      "host name",
      { listen: "example.com:80" },
      'listen: "example.com" in "example.com:80" is not an IPv4 address; host names are not looked up here',
    ],
    ["not quite IPv6", { listen: "[:::]:80" }, 'listen: ":::" is not an IPv6 address'],
    ["no listeners", { listen: [] }, "listen: is an empty list; a pool needs an address to listen on"],
    ["no address", { listen: [{ backlog: 5 }] }, 'listen[0]: "address" is missing'],
    [
      "backlog",
      { listen: { address: "unix:a", backlog: 0 } },
      "listen.backlog: must be a whole number from 1 to 65535, not 0",
    ],
    [
      "decimal mode",
      { listen: { address: "unix:a", mode: 660 } },
      'listen.mode: 660 is a decimal number; write three octal digits in a string, such as "0660"',
    ],
    [
      "no such owner",
      { listen: { address: "unix:a", owner: "nobody-here" } },
      'listen.owner: there is no user "nobody-here" in /etc/passwd; create it, or write a number',
    ],
    [
      "no such group",
      { listen: { address: "unix:a", group: "no-group" } },
      'listen.group: there is no group "no-group" in /etc/group; create it, or write a number',
    ],
    [
      "mode of a TCP address",
      { listen: { address: "127.0.0.1:1", mode: "0660" } },
      'listen.mode: "mode" is for Unix sockets; a TCP address has none; remove it',
    ],
    [
      "client filter",
      { listen: { address: "127.0.0.1:1", allowedClients: ["10.0.0.0/8"] } },
      'listen.allowedClients: "allowedClients" is not implemented yet; it comes with client filtering; remove it',
    ],
    [
      "http without a port",
      { http: "x" },
      'http: "x" is not an address; write "unix:/run/app.sock", "127.0.0.1:9000" or "[::1]:9000"',
    ],
    ["no workers", { workers: 0 }, "workers: must be a whole number from 1 to 10000, not 0"],
    ["workers as a string", { workers: "4" }, 'workers: must be a whole number from 1 to 10000, not "4"'],
    ["static without count", { workers: { mode: "static" } }, 'workers: "count" is missing'],
    [
      "unknown mode",
      { workers: { mode: "elastic", count: 1 } },
      'workers.mode: must be "static", not "elastic"',
    ],
    [
      "dynamic",
      { workers: { mode: "dynamic", min: 1, max: 5 } },
      'workers.mode: "dynamic" is not implemented yet; it comes with pools that size themselves; write "static" and "count", or a number',
    ],
    [
      "a dynamic option in a static pool",
      { workers: { mode: "static", count: 1, maxSpare: 5 } },
      'workers.maxSpare: "maxSpare" is not implemented yet; it comes with pools that size themselves; remove it',
    ],
    ["concurrency", { concurrency: 1.5 }, "concurrency: must be a whole number from 1 to 65535, not 1.5"],
    ["timeouts as a number", { timeouts: 5 }, "timeouts: must be an object, not 5"],
    ["no time to start", { timeouts: { start: 0 } }, "timeouts.start: 0 is too short; the least is 1 ms"],
    ["duration", { timeouts: { stop: "10 s" } }, 'timeouts.stop: "10 s" is not a duration; write "10s"'],
    [
      "request timeout",
      { timeouts: { request: "30s" } },
      'timeouts.request: "timeouts.request" is not implemented yet; it comes with request timeouts; remove it',
    ],
    [
      "batch",
      { reload: { batch: "250%" } },
      'reload.batch: must be a number of workers or a percentage such as "25%", not "250%"',
    ],
    ["env as a list", { env: [] }, 'env: must be an object such as {"NAME": "value"}, not a list'],
    ["nested env", { env: { A: {} } }, "env.A: must be a string, a number, true or false, not an object"],
    ["env block", { env_x: { A: null } }, "env_x.A: must be a string, a number, true or false, not null"],
    ["flag", { clearEnv: "yes" }, 'clearEnv: must be true or false, not "yes"'],
    [
      "signal",
      { stopSignal: "SIGKILL" },
      'stopSignal: must be "SIGTERM", "SIGINT", "SIGQUIT", "SIGHUP", "SIGUSR1", "SIGUSR2", "SIGWINCH" or "SIGALRM", not "SIGKILL"',
    ],
    [
      "backoff the wrong way round",
      { restart: { backoff: { min: "10s", max: "1s" } } },
      'restart.backoff: "min" (10000 ms) is longer than "max" (1000 ms)',
    ],
    [
      "line length",
      { logs: { maxLine: 5 } },
      "logs.maxLine: 5 is out of range; it must be 256 to 16777216 bytes",
    ],
    [
      "base path",
      { wire: { basePath: "/app/" } },
      'wire.basePath: "/app/" is not a base path; begin with "/" and leave out the last one, such as "/app"',
    ],
    ["watch", { watch: "src" }, 'watch: must be true, false, a list of globs or an object, not "src"'],
    [
      "what to watch not",
      { watch: ["src", "!src/gen"] },
      'watch[1]: "!src/gen" begins with "!"; write what is not to be watched under "ignore"',
    ],
    [
      "probe",
      { probe: { uri: "/" } },
      'probe.uri: "probe.uri" is not implemented yet; it comes with health probes; remove it',
    ],
    [
      "a whole group in short",
      { accessLog: "json" },
      'accessLog: "accessLog" is not implemented yet; it comes with the access log; remove it',
    ],
    [
      "umask 0 is not off",
      { umask: 0 },
      'umask: "umask" is not implemented yet; it comes with privileges and limits; remove it',
    ],
    [
      "unset variable",
      { cwd: "${NOWHERE}" },
      "cwd: the environment variable NOWHERE is not set; set it, or write ${NOWHERE:-default}",
    ],
    [
      "two programs",
      { command: ["x"] },
      'has "script" and "command"; exactly one of them can be run',
      'command: "command" is not implemented yet; it comes with pools of programs in any language; remove it',
    ],
    ["no program", { script: null }, PROGRAM_CHOICE, "script: must be a string, not null"],
  ];

  test.each(cases)("%s", async (_what, change, ...messages) => {
    const errors = await folder.errors({ pools: [{ ...pool, ...change }] });
    const expected = messages.map((message) => (message.startsWith("has ") ? `: ${message}` : `.${message}`));
    expect(errors.map((error) => error.replace(/^:1:\d+: pools\[0\]/, ""))).toEqual(expected);
  });
});

describe("errors of the whole", () => {
  test.each<[string, unknown, string[]]>([
    ["a list", [], [":1:1: must be an object, not a list"]],
    ["nothing", {}, [':1:1: "pools" is missing']],
    ["no pools", { pools: [] }, [":1:10: pools: is an empty list; there is nothing to run"]],
    ["one pool, no list", { pools: {} }, [":1:10: pools: must be a list of pools, not an object"]],
    ["a pool that is none", { pools: [7] }, [":1:11: pools[0]: must be an object, not 7"]],
    [
      "an empty pool",
      { pools: [{}] },
      [
        ':1:11: pools[0]: "name" is missing',
        ':1:11: pools[0]: "listen" is missing',
        `:1:11: pools[0]: ${PROGRAM_CHOICE}`,
      ],
    ],
    [
      "PM2's apps",
      { apps: [pool] },
      [':1:1: "pools" is missing', ':1:2: apps: unknown key "apps"; did you mean "pools"?'],
    ],
    [
      "a pool at the top",
      { script: "app.mjs", pools: [pool] },
      [':1:2: script: "script" is an option of a pool; write it into an item of "pools"'],
    ],
    [
      "unknown top-level key",
      { rundir: "x", pools: [pool] },
      [':1:2: rundir: unknown key "rundir"; did you mean "runDir"?'],
    ],
    [
      "what is not there yet",
      { pools: [pool], status: { listen: ":9" }, maxProcesses: 5 },
      [
        ':1:81: status.listen: "status.listen" is not implemented yet; it comes with the status server; remove it',
        ':1:97: maxProcesses: "maxProcesses" is not implemented yet; it comes with pools that size themselves; remove it',
      ],
    ],
    [
      "the same name twice",
      { pools: [pool, { ...pool, listen: "unix:b" }] },
      [':1:79: pools[1].name: "web" is already the name of pools[0]; choose another'],
    ],
    [
      "a long control socket",
      { pools: [pool], runDir: `/${"x".repeat(100)}` },
      [
        `:1:81: runDir: the control socket /${"x".repeat(100)}/control.sock is 114 bytes long, and the system takes 107; choose a shorter one`,
      ],
    ],
    [
      "a pool on the control socket",
      { pools: [pool], controlSocket: "web.sock" },
      [":1:30: pools[0].listen: unix:<dir>/web.sock is already taken by the control socket; choose another"],
    ],
  ])("%s", async (_what, value, expected) => {
    const at = (error: string) => error.replace(/^:1:\d+/, ":1");
    const errors = await folder.errors(value);
    expect(errors.map(at)).toEqual(expected.map(at));
  });
});

test("a Unix path may have 107 bytes, not characters", async () => {
  const room = 107 - Buffer.byteLength(`${folder.path}/`);
  expect(await folder.errors({ pools: [{ ...pool, listen: `unix:${"x".repeat(room)}` }] })).toEqual([]);
  const [error] = await folder.errors({
    pools: [{ ...pool, listen: `unix:${"ü".repeat(Math.ceil((room + 1) / 2))}` }],
  });
  expect(error).toMatch(/pools\[0\]\.listen: the socket path .* bytes long, and the system takes 107/);
});

describe("two pools at one address", () => {
  const clash = (a: Record<string, unknown>, b: Record<string, unknown>) =>
    folder.errors({
      pools: [
        { ...pool, ...a },
        { ...pool, name: "b", ...b },
      ],
    });

  test.each<[string, Record<string, unknown>, Record<string, unknown>, string]>([
    [
      "Unix",
      { listen: "unix:x" },
      { listen: "unix:./x" },
      "pools[1].listen: unix:<dir>/x is already taken by pools[0].listen",
    ],
    [
      "TCP",
      { listen: "127.0.0.1:9000" },
      { listen: ["unix:y", "localhost:9000"] },
      "pools[1].listen[1]: 127.0.0.1:9000 is already taken by pools[0].listen",
    ],
    [
      "a wildcard",
      { listen: ":9000" },
      { listen: "127.0.0.1:9000" },
      "pools[1].listen: 127.0.0.1:9000 is already taken by pools[0].listen",
    ],
    [
      "two spellings",
      { listen: "[::1]:9000" },
      { listen: "[0:0:0:0:0:0:0:1]:9000" },
      "pools[1].listen: [::1]:9000 is already taken by pools[0].listen",
    ],
    [
      "http",
      { http: "127.0.0.1:80" },
      { listen: { address: "127.0.0.1:80" } },
      "pools[1].listen: 127.0.0.1:80 is already taken by pools[0].http",
    ],
  ])("%s", async (_what, a, b, expected) => {
    const errors = await clash(a, b);
    expect(errors.map((error) => error.replace(/^:1:\d+: /, ""))).toEqual([`${expected}; choose another`]);
  });

  test.each<[string, Record<string, unknown>, Record<string, unknown>]>([
    ["any free port, twice", { listen: "127.0.0.1:0" }, { listen: "127.0.0.1:0" }],
    ["different addresses", { listen: "127.0.0.1:9000" }, { listen: "127.0.0.2:9000" }],
    ["different families", { listen: "127.0.0.1:9000" }, { listen: "[::1]:9000" }],
  ])("%s is fine", async (_what, a, b) => {
    expect(await clash(a, b)).toEqual([]);
  });
});

test("all errors come at once, in the order of the file, each with line and column", async () => {
  const text = `{
  // A comment moves nothing.
  "stopTimeout": "1 m",
  "pools": [
    {
      "name": "a", "script": "nope.mjs",
      "listen": [ "unix:a.sock", { "address": "unix:b.sock", "mode": "rw" } ],
      "env": { "A": "\${UNSET}" },
      "slowLog": "slow",
    },
    { "name": "b", "script": "app.mjs" },
  ],
  "lgo": {},
}`;
  expect(await folder.errors(text)).toEqual([
    ':3:18: stopTimeout: "1 m" is not a duration; write "1m"',
    ":6:30: pools[0].script: there is no file <dir>/nope.mjs",
    ':7:70: pools[0].listen[1].mode: "rw" is not a file mode; write three octal digits in a string, such as "0660"',
    ":8:21: pools[0].env.A: the environment variable UNSET is not set; set it, or write ${UNSET:-default}",
    ':9:7: pools[0].slowLog: "slowLog" is not implemented yet; it comes with the slow log; remove it',
    ':11:5: pools[1]: "listen" is missing',
    ':13:3: lgo: unknown key "lgo"; did you mean "log"?',
  ]);
});

describe("text that is no JSON", () => {
  test.each<[string, string, string[]]>([
    ["empty", "", [":1:1: a value is expected here"]],
    ["half an object", '{"pools": [', [':1:12: a "]" is missing']],
    ["no quotes", "{\n  pools: []\n}", [":2:3: this is not JSON; text needs double quotes"]],
    ["no comma", '{\n  "a": 1\n  "b": 2\n}', [":3:3: a comma is missing before this"]],
    ["no value", '{\r\n  "a": \r\n}', [":3:1: a value is expected here"]],
    ["two documents", "{}\n{}", [":2:1: the configuration ends before this; remove the rest"]],
    ["open comment", "{} /* x", [':1:4: this comment has no end; write "*/"']],
    ["open string", '{"a": "x\n}', [':1:7: this string has no end; write a second """ on its line']],
    [
      "one error a line",
      "{\n  a: [b c],\n  d\n}",
      [
        ":2:3: this is not JSON; text needs double quotes",
        ":3:3: this is not JSON; text needs double quotes",
      ],
    ],
    ["too deep", "[".repeat(100_000), [": is nested too deeply to be read"]],
  ])("%s", async (_what, text, expected) => {
    expect(await folder.errors(text)).toEqual(expected);
  });

  test("a key that appears twice", async () => {
    const text = JSON.stringify({ pools: [pool] }).replace('"name"', '"script": "x",\n"name"');
    expect(await folder.errors(text)).toEqual([
      ":2:14: pools[0].script: this key appears twice in the same object; remove one of them",
    ]);
  });

  test("__proto__ is a key like any other", async () => {
    const text = `{"pools": [{"name": "a", "script": "app.mjs", "listen": ":0", "__proto__": {"workers": 1}}]}`;
    const [error] = await folder.errors(text);
    expect(error).toMatch(/^:1:63: pools\[0\]\.__proto__: unknown key "__proto__"; /);
  });
});

describe("what is off, empty or default is accepted of options that are not there yet", () => {
  test.each<[string, Record<string, unknown>]>([
    ["slowLog", { slowLog: false }],
    ["probe", { probe: null }],
    ["recycle", { recycle: {} }],
    ["recycle.maxRequests", { recycle: { maxRequests: 0, jitter: 0.1 } }],
    ["timeouts", { timeouts: { request: "off", slow: 0 } }],
    ["accessLog", { accessLog: false }],
    ["probe.status", { probe: { status: [200, 399] } }],
    ["command", { command: null }],
    ["allowedClients", { listen: { address: ":0", allowedClients: [] } }],
  ])("%s", async (_what, change) => {
    expect(await folder.errors({ pools: [{ ...pool, ...change }] })).toEqual([]);
  });
});

test("a script in TypeScript needs a Node that runs it, or a loader", async () => {
  const old = {
    host: { ...host, runsTypeScript: false, nodeVersion: "v20.19.0" },
  };
  const script = { ...pool, script: "app.ts" };
  expect(await folder.errors({ pools: [script] }, old)).toEqual([
    ":1:34: pools[0].script: <dir>/app.ts needs Node 22.18 or newer, which runs TypeScript as it is (this is Node v20.19.0); " +
      'here, install tsx and write "nodeArgs": ["--import", "tsx"]',
  ]);
  expect(await folder.errors({ pools: [{ ...script, nodeArgs: ["--import", "tsx"] }] }, old)).toEqual([]);
  expect(await folder.errors({ pools: [script] }, { host: { ...old.host, runsTypeScript: true } })).toEqual(
    [],
  );
});
