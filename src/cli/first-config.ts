/** The files that `gwpm init` writes; their comments are the option table's own words. */

import { POOL_OPTIONS, SUPERVISOR_OPTIONS } from "../config/table.ts";

/** A handler as node:http has it: it needs nothing installed. */
export const HELLO_WORKER = `// A worker: its default export answers requests, as in node:http. Express, Koa, Fastify and Hono apps do too.
export default (req, res) => {
  res.setHeader("content-type", "text/plain; charset=utf-8");
  res.end(\`Hello from worker \${process.pid}: \${req.method} \${req.url}\\n\`);
};
`;

interface Line {
  readonly key: string;
  /** JSON as it stands in the file. */
  readonly json: string;
  readonly doc: string;
  /** Left out, as a comment, because it says what holds anyway. */
  readonly commented?: boolean;
}

/** @returns the text of an ecosystem.json with one pool */
export function firstConfig(options: { script: string; pool: string; hasPackage: boolean }): string {
  const { $schema, runDir } = SUPERVISOR_OPTIONS;
  const top: Line[] = [
    ...(options.hasPackage
      ? [{ key: "$schema", json: '"./node_modules/gwpm/ecosystem.schema.json"', doc: $schema.doc }]
      : []),
    { key: "runDir", json: '"./run"', doc: runDir.doc },
  ];
  return [
    "// What gwpm runs from this folder. Every option: docs/config.md in the gwpm package.",
    "{",
    ...top.flatMap((line) => render(line, "  ")),
    '  "pools": [',
    "    {",
    ...poolLines(options).flatMap((line) => render(line, "      ")),
    "    },",
    "  ],",
    "}",
    "",
  ].join("\n");
}

function poolLines({ script, pool }: { script: string; pool: string }): Line[] {
  const doc = (path: keyof typeof POOL_OPTIONS) => POOL_OPTIONS[path].doc;
  const text = (value: string) => JSON.stringify(value);
  return [
    { key: "name", json: text(pool), doc: doc("name") },
    { key: "script", json: text(script), doc: "A Node module that exports a handler or calls serve()." },
    { key: "protocol", json: '"fastcgi"', doc: `${doc("protocol")} "fastcgi", "scgi" or "http".` },
    { key: "listen", json: text(`unix:./run/${pool}.sock`), doc: "Where the front end reaches the pool." },
    { key: "http", json: '"127.0.0.1:8080"', doc: "Also serves the pool over plain HTTP, to try it out." },
    { key: "workers", json: "2", doc: "How many workers; one for each CPU without this line." },
    { key: "concurrency", json: "100", doc: doc("concurrency"), commented: true },
    { key: "env", json: '{ "NODE_ENV": "development" }', doc: doc("env") },
    { key: "env_production", json: '{ "NODE_ENV": "production" }', doc: "With --env production." },
    {
      key: "timeouts",
      json: '{ "start": "30s", "stop": "30s" }',
      doc: doc("timeouts.stop"),
      commented: true,
    },
  ];
}

function render({ key, json, doc, commented = false }: Line, indent: string): string[] {
  const setting = `${JSON.stringify(key)}: ${json},`;
  return [`${indent}// ${doc}`, `${indent}${commented ? "// " : ""}${setting}`];
}
