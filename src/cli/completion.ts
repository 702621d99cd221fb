/** `gwpm completion`: what a shell needs to complete our command lines. */

import type { CompletionVerb } from "./completion-scripts.ts";
import { bashCompletion, fishCompletion, zshCompletion } from "./completion-scripts.ts";
import { UsageError } from "./failure.ts";
import { defineCommand } from "./main.ts";
import type { Verb } from "./verb.ts";
import { VERBS, type VerbEntry } from "./verbs.ts";

const SHELLS = new Map([
  ["bash", bashCompletion],
  ["zsh", zshCompletion],
  ["fish", fishCompletion],
]);

export const verb: Verb = {
  define(command) {
    command
      .description("Print a completion script for a shell.")
      .argument("<shell>", "bash, zsh or fish")
      .addHelpText(
        "after",
        `
Example:
  eval "$(gwpm completion bash)"                                       # in ~/.bashrc
  gwpm completion zsh > "\${fpath[1]}/_gwpm"
  gwpm completion fish > ~/.config/fish/completions/gwpm.fish`,
      );
  },

  async run([shell = ""], _flags, io) {
    const script = SHELLS.get(shell);
    if (script === undefined) {
      throw new UsageError(`there is no completion for "${shell}"`, "Write bash, zsh or fish.");
    }
    const verbs = await Promise.all(VERBS.flatMap((entry) => describe(entry) ?? []));
    io.stdout.write(script(verbs));
    return 0;
  },
};

/** Reads the flags off the verb itself, so that no list of them can fall behind. */
function describe(entry: VerbEntry): Promise<CompletionVerb> | undefined {
  return entry.load?.().then((loaded) => ({
    name: entry.name,
    summary: entry.summary,
    flags: defineCommand(entry, loaded).options.map((option) => ({
      names: [option.short, option.long].filter((name) => name != null),
      takesValue: option.required || option.optional,
      doc: option.description,
    })),
  }));
}
