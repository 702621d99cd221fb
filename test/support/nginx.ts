/** A real nginx with a configuration of its own: every path of it in the sandbox, in the foreground, as an ordinary user. */

import { mkdirSync, readFileSync } from "node:fs";
import { connect } from "node:net";
import type { Child } from "./child.ts";
import type { Target } from "./http.ts";
import { findPeer } from "./peers.ts";
import { freePort } from "./ports.ts";
import type { Sandbox } from "./sandbox.ts";
import { waitFor } from "./wait.ts";

/** What a location says to send requests to a worker; after `include fastcgi_params` of every guide, with the client's own Host. */
export const FASTCGI_PARAMS = params("fastcgi_param", {
  GATEWAY_INTERFACE: "CGI/1.1",
  SERVER_SOFTWARE: "nginx/$nginx_version",
  QUERY_STRING: "$query_string",
  REQUEST_METHOD: "$request_method",
  CONTENT_TYPE: "$content_type",
  CONTENT_LENGTH: "$content_length",
  SCRIPT_NAME: '""',
  PATH_INFO: "$document_uri",
  REQUEST_URI: "$request_uri",
  DOCUMENT_URI: "$document_uri",
  SERVER_PROTOCOL: "$server_protocol",
  REQUEST_SCHEME: "$scheme",
  REMOTE_ADDR: "$remote_addr",
  REMOTE_PORT: "$remote_port",
  SERVER_ADDR: "$server_addr",
  SERVER_PORT: "$server_port",
  SERVER_NAME: "$server_name",
});

/** The same for `scgi_pass`: CONTENT_LENGTH and SCGI come from nginx itself, first as the protocol wants them. */
export const SCGI_PARAMS = params("scgi_param", {
  SCGI: "1",
  SERVER_SOFTWARE: "nginx/$nginx_version",
  REQUEST_METHOD: "$request_method",
  REQUEST_URI: "$request_uri",
  QUERY_STRING: "$query_string",
  CONTENT_TYPE: "$content_type",
  DOCUMENT_URI: "$document_uri",
  SERVER_PROTOCOL: "$server_protocol",
  REQUEST_SCHEME: "$scheme",
  REMOTE_ADDR: "$remote_addr",
  REMOTE_PORT: "$remote_port",
  SERVER_PORT: "$server_port",
  SERVER_NAME: "$server_name",
});

/** What makes `proxy_pass` reuse connections and hand over the client's Host. */
export const PROXY_HEADERS = `
  proxy_http_version 1.1;
  proxy_set_header Host $http_host;
  proxy_set_header Connection "";`;

function params(directive: string, values: Record<string, string>): string {
  return Object.entries(values)
    .map(([name, value]) => `  ${directive} ${name} ${value};`)
    .join("\n");
}

export interface NginxServer {
  /** The inside of `server { … }`, without `listen`. */
  readonly server: string;
  /** On a TCP port, for clients that know no Unix sockets. @default a Unix socket */
  readonly tcp?: boolean;
}

export interface NginxOptions<Name extends string> {
  readonly servers: Readonly<Record<Name, NginxServer>>;
  /** `upstream { … }` blocks and other things of the `http` level. */
  readonly http?: string;
}

export interface Nginx<Name extends string> {
  readonly pid: number;
  /** Where each server listens. */
  readonly at: Readonly<Record<Name, Target>>;
  errorLog(): string;
  stop(): Promise<void>;
}

/** How often to try again when somebody else took the port that was free a moment ago. */
const ATTEMPTS = 3;

/** Starts nginx and waits until every server accepts. It is stopped when the test ends. */
export async function startNginx<Name extends string>(
  sandbox: Sandbox,
  options: NginxOptions<Name>,
): Promise<Nginx<Name>> {
  for (let attempt = 1; ; attempt++) {
    const at = await chooseTargets(sandbox, options);
    const child = await launch(sandbox, render(sandbox, options, at));
    try {
      await accepts(child, Object.values(at), () => readLog(sandbox));
      return handle(sandbox, child, at);
    } catch (error) {
      await child.stop("SIGQUIT");
      if (attempt === ATTEMPTS || !readLog(sandbox).includes("Address already in use")) throw error;
    }
  }
}

async function chooseTargets<Name extends string>(
  sandbox: Sandbox,
  options: NginxOptions<Name>,
): Promise<Record<Name, Target>> {
  const entries = Object.entries(options.servers) as [Name, NginxServer][];
  const targets = entries.map(async ([name, { tcp }]) => {
    const target: Target = tcp
      ? { host: "127.0.0.1", port: await freePort() }
      : { path: sandbox.path("nginx", `${name.replaceAll(/\W+/g, "-")}.sock`) };
    return [name, target] as const;
  });
  return Object.fromEntries(await Promise.all(targets)) as Record<Name, Target>;
}

function render<Name extends string>(
  sandbox: Sandbox,
  options: NginxOptions<Name>,
  at: Record<Name, Target>,
): string {
  const home = sandbox.path("nginx");
  const servers = (Object.entries(options.servers) as [Name, NginxServer][]).map(([name, { server }]) => {
    const target = at[name];
    const listen = "path" in target ? `unix:${target.path}` : `${target.host}:${target.port}`;
    return `server {\n  listen ${listen};\n${server}\n}`;
  });
  const temps = ["client_body", "proxy", "fastcgi", "scgi", "uwsgi"].map(
    (kind) => `${kind}_temp_path ${home}/${kind}_temp;`,
  );
  return `
${process.getuid?.() === 0 ? "user root;" : ""}
daemon off;
worker_processes 1;
pid ${home}/nginx.pid;
error_log ${home}/error.log warn;
events { worker_connections 1024; }
http {
  ${temps.join("\n  ")}
  access_log off;
  client_max_body_size 0;
  keepalive_requests 1000000;
  ${options.http ?? ""}
  ${servers.join("\n")}
}
`;
}

async function launch(sandbox: Sandbox, config: string): Promise<Child> {
  const binary = findPeer("nginx");
  if (binary === undefined) throw new Error("nginx is not installed; see requirePeer");
  mkdirSync(sandbox.path("nginx"), { recursive: true });
  const file = sandbox.write("nginx/nginx.conf", config);
  return sandbox.start([
    binary,
    "-p",
    sandbox.path("nginx"),
    "-c",
    file,
    "-e",
    sandbox.path("nginx", "error.log"),
  ]);
}

async function accepts(child: Child, targets: readonly Target[], log: () => string): Promise<void> {
  for (const target of targets) {
    await waitFor(
      async () => {
        // `waitFor` takes an error for "not yet", so a nginx that has ended must come back as a value.
        if (!child.running) return "ended";
        return (await canConnect(target)) && "accepts";
      },
      { what: `nginx to accept on ${JSON.stringify(target)}` },
    );
    if (!child.running) throw new Error(`nginx ended at once\n${child.output()}${log()}`);
  }
}

function canConnect(target: Target): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(target);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });
}

function handle<Name extends string>(sandbox: Sandbox, child: Child, at: Record<Name, Target>): Nginx<Name> {
  return {
    pid: child.pid,
    at,
    errorLog: () => readLog(sandbox),
    stop: async () => {
      // QUIT would wait for idle clients; nginx removes its Unix sockets on TERM as well.
      if (child.running) await child.stop("SIGTERM");
    },
  };
}

function readLog(sandbox: Sandbox): string {
  try {
    return readFileSync(sandbox.path("nginx", "error.log"), "utf8");
  } catch {
    return "";
  }
}
