/** The reference page of the config file, docs/config.md, written from the option table. */

import {
  type AnyOption,
  groupOf,
  isGroup,
  isPending,
  type OptionNode,
  type OptionTable,
  pendingGroup,
} from "./option.ts";
import { LISTEN_OPTIONS, POOL_OPTIONS, SUPERVISOR_OPTIONS, WATCH_OPTIONS, WORKERS_OPTIONS } from "./table.ts";

const INTRODUCTION = `\
<!-- Written by \`npm run schema\` from src/config/table.ts; change it there. -->

# The config file

gwpm reads \`ecosystem.json\` (comments and trailing commas are fine), or the object that \`ecosystem.config.js\`, \`.mjs\`,
\`.cjs\` or \`.ts\` exports: \`-c FILE\`, else the one in the current folder. \`gwpm check\` tells all that is wrong with it at
once, each with its place; \`gwpm check --print\` shows it with every default filled in.

- **Relative paths** start at the config file's folder.
- **Durations**: \`"500ms"\`, \`"10s"\`, \`"5m"\`, \`"1h"\`, or a number of milliseconds.
- **Sizes**: \`"64KB"\`, \`"256MB"\`, \`"1GB"\` (powers of 1024), or a number of bytes.
- **Addresses**: \`"unix:/run/app.sock"\`, \`"127.0.0.1:9000"\`, \`"[::1]:9000"\`, \`":9000"\` (every IPv4 address).
- **Variables**: \`\${VAR}\` and \`\${VAR:-default}\` stand in any string for an environment variable, and where a number or
  \`true\` is wanted such a string may hold one: \`"workers": "\${WORKERS:-4}"\`. The default also counts for an empty
  variable. A variable that is not set and has no default is an error. \`$\${\` is a literal \`\${\`.
- **Environments**: \`--env production\` lays each pool's \`env_production\` over its \`env\`.
- **Off**: \`false\`, \`null\` and \`"off"\` turn off what can be off.
- \`"$schema": "./node_modules/gwpm/ecosystem.schema.json"\` gives editors completion and these descriptions.
- **TypeScript**: \`.ts\` configs and scripts run as they are on Node 22.18 and newer. On Node 20, install tsx, give a
  script \`"nodeArgs": ["--import", "tsx"]\`, and run gwpm itself with \`NODE_OPTIONS="--import tsx"\` for a config.
- A **module** is run again at each reload; what an ES module imports itself is not.

Options marked *not yet* are refused, unless their value changes nothing.
`;

/** @returns the page as the file holds it */
export function referencePage(): string {
  return [
    INTRODUCTION,
    section("Top level", SUPERVISOR_OPTIONS),
    section("A pool", POOL_OPTIONS),
    section("`listen` as an object", LISTEN_OPTIONS),
    section("`workers` as an object", WORKERS_OPTIONS),
    section("`watch` as an object", WATCH_OPTIONS),
  ].join("\n");
}

function section(title: string, table: OptionTable): string {
  const rows = [...leaves([...groupOf(table).children.values()])];
  return [
    `## ${title}\n`,
    "| key | value | default | meaning |",
    "|---|---|---|---|",
    ...rows.map(({ path, option }) => row(path, option)),
    "",
  ].join("\n");
}

/** In the order of the table, groups kept together. */
function* leaves(nodes: readonly OptionNode[]): Generator<{ path: string; option: AnyOption }> {
  for (const node of nodes) {
    if (isGroup(node)) yield* leaves([...node.children.values()]);
    else yield node;
  }
}

function row(path: string, option: AnyOption): string {
  const type = isPending(option) ? option.type : option.kind.label;
  const pending = pendingGroup({ path, option });
  const doc = pending === undefined ? option.doc : `*Not yet; comes with ${pending}.* ${option.doc}`;
  return `| ${[`\`${path}\``, type, defaultOf(option), doc].map(cell).join(" | ")} |`;
}

function defaultOf(option: AnyOption): string {
  if (option.defaultText !== undefined) return option.defaultText;
  if (option.default !== undefined) return `\`${JSON.stringify(option.default)}\``;
  if ("required" in option) return "**required**";
  return isPending(option) ? "off" : "none";
}

/** A bar would end the cell. */
function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
