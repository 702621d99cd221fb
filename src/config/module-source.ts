/** A configuration that a JavaScript or TypeScript module exports. */

import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { extname, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import type { Host } from "./host.ts";
import { formatPath, type Segment } from "./place.ts";
import type { Source } from "./source.ts";
import { ConfigError, type ConfigIssue } from "./types.ts";

const require = createRequire(import.meta.url);

/** Makes each import a new one: a module that has been imported is never read again under the same URL. */
let imports = 0;

/**
 * Runs the module, also when it has been run before: a reload must see what the file says now.
 * What an ES module imports itself is not read again; there is no way to ask Node for that.
 *
 * @throws ConfigError when it cannot be run or exports no object
 */
export async function importConfig(file: string, host: Host): Promise<Source> {
  refuseTypeScript(file, host);
  forget(file);
  let namespace: Record<string, unknown>;
  try {
    namespace = await host.importModule(`${pathToFileURL(file).href}?gwpm=${++imports}`);
  } catch (error) {
    throw new ConfigError(file, [await whatItThrew(file, error)]);
  }
  const issues: ConfigIssue[] = [];
  const value = toPlain(exported(namespace), [], issues, new Set());
  return { value, broken: issues.length > 0, issues, mentions: () => false, locate: () => null };
}

function refuseTypeScript(file: string, host: Host): void {
  const isTypeScript = [".ts", ".mts", ".cts"].includes(extname(file));
  if (!isTypeScript || host.runsTypeScript || host.hasLoader) return;
  const message =
    `a TypeScript configuration needs Node 22.18 or newer (this is Node ${host.nodeVersion}); ` +
    'here, install tsx and run gwpm with NODE_OPTIONS="--import tsx", or write the file in JavaScript';
  throw new ConfigError(file, [{ path: "", line: null, column: null, message }]);
}

/** Takes a CommonJS module and what it has required, packages aside, out of Node's cache. */
function forget(file: string): void {
  const cached = require.cache[file];
  if (cached === undefined) return;
  delete require.cache[file];
  for (const child of cached.children) {
    if (!child.filename.includes(`${sep}node_modules${sep}`)) forget(child.filename);
  }
}

/** `export default`, `module.exports`, or what a compiler made of either. */
function exported(namespace: Record<string, unknown>): unknown {
  const value = "default" in namespace ? namespace.default : namespace;
  const compiled = typeof value === "object" && value !== null && "__esModule" in value && "default" in value;
  return compiled ? value.default : value;
}

/**
 * Copies what a program built into plain lists and objects: what comes after need not mind getters, prototypes, or
 * objects that hold themselves.
 */
function toPlain(
  value: unknown,
  path: readonly Segment[],
  issues: ConfigIssue[],
  parents: ReadonlySet<object>,
): unknown {
  if (typeof value !== "object" || value === null) return value;
  const fail = (message: string) => {
    issues.push({ path: formatPath(path), line: null, column: null, message });
    return undefined;
  };
  if (parents.has(value)) return fail("holds itself");
  const within = new Set([...parents, value]);
  try {
    if (Array.isArray(value)) {
      return Array.from(value, (item, index) => toPlain(item, [...path, index], issues, within));
    }
    const object: Record<string, unknown> = Object.create(null);
    for (const [key, item] of Object.entries(value)) {
      object[key] = toPlain(item, [...path, key], issues, within);
    }
    return object;
  } catch (error) {
    return fail(`cannot be read: ${messageOf(error)}`);
  }
}

async function whatItThrew(file: string, error: unknown): Promise<ConfigIssue> {
  const message = `running the file failed: ${messageOf(error)}`;
  const trace = error instanceof SyntaxError ? await syntaxTrace(file) : "";
  const spot = spotIn(trace, file) ?? spotIn(error instanceof Error ? String(error.stack) : "", file);
  return { path: "", ...(spot ?? { line: null, column: null }), message };
}

/** Only a Node that ends with the error says on which line of an ES module it is. */
async function syntaxTrace(file: string): Promise<string> {
  try {
    await promisify(execFile)(process.execPath, ["--check", file], { timeout: 10_000 });
    return "";
  } catch (failure) {
    return String((failure as { stderr?: unknown }).stderr);
  }
}

/** The first line that a stack trace has of the file. */
function spotIn(trace: string, file: string): { line: number; column: number | null } | undefined {
  const start = trace.indexOf(file);
  if (start === -1) return undefined;
  const spot = /^(?:\?gwpm=\d+)?:(\d+)(?::(\d+))?/.exec(trace.slice(start + file.length));
  if (spot === null) return undefined;
  return { line: Number(spot[1]), column: spot[2] === undefined ? null : Number(spot[2]) };
}

function messageOf(error: unknown): string {
  if (error instanceof Error) return `${error.name}: ${error.message}`;
  try {
    return String(error);
  } catch {
    return "something that is not an Error was thrown";
  }
}
