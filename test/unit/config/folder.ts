/** A private folder with a config file in it, and a machine that does not depend on the one the tests run on. */

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { formatIssue } from "../../../src/config/format-issue.ts";
import { type Host, thisHost } from "../../../src/config/host.ts";
import { type LoadOptions, loadConfig } from "../../../src/config/load.ts";
import { ConfigError, type EffectiveConfig } from "../../../src/config/types.ts";

const { importModule } = createRequire(import.meta.url)("./native-import.cjs") as Pick<Host, "importModule">;

export const host: Host = {
  uid: 1000,
  home: "/home/someone",
  nodeVersion: thisHost.nodeVersion,
  runsTypeScript: thisHost.runsTypeScript,
  hasLoader: false,
  importModule,
  cpus: () => 4,
  userExists: (name) => name === "www-data",
  groupExists: (name) => name === "www-data",
};

export class Folder {
  readonly path = mkdtempSync(join(tmpdir(), "gwpm-config-"));

  constructor() {
    this.write("app.mjs", "");
  }

  write(name: string, text: string): string {
    const file = join(this.path, name);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
    return file;
  }

  remove(): void {
    rmSync(this.path, { recursive: true });
  }

  /** Reads what `value` says as an ecosystem.json; a string is the file's text. */
  load(value: unknown, options: LoadOptions = {}): Promise<EffectiveConfig> {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    return this.loadFile(this.write("ecosystem.json", text), options);
  }

  loadFile(file: string, options: LoadOptions = {}): Promise<EffectiveConfig> {
    return loadConfig(file, { host, processEnv: {}, cwd: this.path, ...options });
  }

  /** The errors, as `gwpm check` prints them but for the file's name; `<dir>` stands for the folder. */
  async errors(value: unknown, options: LoadOptions = {}): Promise<string[]> {
    return this.errorsOf(this.load(value, options));
  }

  async errorsOf(loading: Promise<unknown>): Promise<string[]> {
    try {
      await loading;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      return error.issues.map((issue) => formatIssue("", issue).replaceAll(this.path, "<dir>"));
    }
    return [];
  }
}

/** The least that a pool needs. */
export const pool = { name: "web", script: "app.mjs", listen: "unix:web.sock" } as const;
