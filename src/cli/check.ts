/** `gwpm check`: everything that is wrong with the config file, and nothing else happens. */

import { formatIssue } from "../config/format-issue.ts";
import { CONFIG_NAMES, findConfig, loadConfig } from "../config/load.ts";
import { toConfigObject } from "../config/print.ts";
import { ConfigError, type EffectiveConfig } from "../config/types.ts";
import { CliError, EXIT_BAD_CONFIG } from "./failure.ts";
import { printJson } from "./output.ts";
import { printable } from "./printable.ts";
import type { GlobalFlags, Io, Verb } from "./verb.ts";

export const verb: Verb = {
  define(command) {
    command
      .description("Validate the config file, and tell every error with its place. Touches nothing.")
      .option("--print", "print the configuration with every default filled in, as JSON")
      .option("--json", "print one JSON document: valid, file, errors")
      .addHelpText("after", "\nExample:\n  gwpm check -c ecosystem.json && gwpm reload");
  },

  async run(_args, flags, io) {
    const file = flags.config ?? findConfig(io.cwd);
    if (file === undefined) throw noConfig(io.cwd);
    try {
      const options = { cwd: io.cwd, processEnv: io.env, envName: flags.env, socket: flags.socket };
      tellValid(await loadConfig(file, options), flags, io);
      return 0;
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      tellErrors(error, flags, io);
      return EXIT_BAD_CONFIG;
    }
  },
};

type Flags = Record<string, unknown> & GlobalFlags;

function tellValid(config: EffectiveConfig, flags: Flags, io: Io): void {
  const printed = flags.print === true ? toConfigObject(config) : undefined;
  if (flags.json === true) {
    const report = { valid: true, file: config.configFile, errors: [] };
    printJson(io, printed === undefined ? report : { ...report, config: printed });
  } else if (printed !== undefined) printJson(io, printed);
  else io.stdout.write(`configuration file ${config.configFile} is valid\n`);
}

/** The errors are the result of this verb, so that they begin their lines, where editors look for a place. */
function tellErrors({ file, issues }: ConfigError, flags: Flags, io: Io): void {
  if (flags.json === true) printJson(io, { valid: false, file, errors: issues });
  else for (const issue of issues) io.stderr.write(`${printable(formatIssue(file, issue))}\n`);
}

function noConfig(cwd: string): CliError {
  return new CliError(`there is no ${CONFIG_NAMES[0]} or ecosystem.config.{js,mjs,cjs,ts} in ${cwd}`, {
    exitCode: EXIT_BAD_CONFIG,
    hint: "Name the file with -c FILE, or write one with `gwpm init`.",
  });
}
