/** Completion scripts, written from a list of verbs and their flags. */

export interface CompletionVerb {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly CompletionFlag[];
}

export interface CompletionFlag {
  /** Such as `-c` and `--config`. */
  readonly names: readonly string[];
  readonly takesValue: boolean;
  readonly doc: string;
}

/** Files complete wherever a verb or a flag cannot stand. */
export function bashCompletion(verbs: readonly CompletionVerb[]): string {
  const cases = verbs.map(({ name, flags }) => {
    const words = flags.flatMap(({ names }) => names).join(" ");
    return `    ${name}) words=${quote(words)} ;;`;
  });
  return `# bash completion for gwpm
_gwpm() {
  local cur=\${COMP_WORDS[COMP_CWORD]} verb= words= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -c | --config | --env | --socket) ((i++)) ;;
      -*) ;;
      *) verb=\${COMP_WORDS[i]}; break ;;
    esac
  done
  case $verb in
    "") words=${quote(verbs.map(({ name }) => name).join(" "))} ;;
${cases.join("\n")}
  esac
  if [[ -z $verb || $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -o default -F _gwpm gwpm
`;
}

export function zshCompletion(verbs: readonly CompletionVerb[]): string {
  const names = verbs.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`);
  const cases = verbs.map(
    ({ name, flags }) => `    ${name}) flags=(${flags.flatMap(zshFlag).map(quote).join(" ")}) ;;`,
  );
  return `#compdef gwpm
_gwpm() {
  local -a verbs flags
  verbs=(
${names.join("\n")}
  )
  if ((CURRENT == 2)); then
    _describe verb verbs
    return
  fi
  case $words[2] in
${cases.join("\n")}
  esac
  _arguments -s '1: :' $flags '*:file:_files'
}
# Autoloaded from fpath, this file is the function itself; evaluated, it has to announce it.
if [[ $funcstack[1] == _gwpm ]]; then _gwpm "$@"; else compdef _gwpm gwpm; fi
`;
}

/** `--flag[what it does]:value:_files`; brackets and colons of the text are marked. */
function zshFlag({ names, takesValue, doc }: CompletionFlag): string[] {
  const text = doc.replaceAll(/[[\]:\\]/g, "\\$&");
  return names.map((name) => `${name}[${text}]${takesValue ? ":value:_files" : ""}`);
}

export function fishCompletion(verbs: readonly CompletionVerb[]): string {
  const lines = verbs.flatMap(({ name, summary, flags }) => [
    `complete -c gwpm -n __fish_use_subcommand -f -a ${name} -d ${fishQuote(summary)}`,
    ...flags.map((flag) => fishFlag(name, flag)),
  ]);
  return `# fish completion for gwpm\n${lines.join("\n")}\n`;
}

function fishFlag(verb: string, { names, takesValue, doc }: CompletionFlag): string {
  const spellings = names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  const condition = fishQuote(`__fish_seen_subcommand_from ${verb}`);
  return `complete -c gwpm -n ${condition} ${spellings.join(" ")}${takesValue ? " -r" : ""} -d ${fishQuote(doc)}`;
}

/** For POSIX shells: a single quote ends the string, stands escaped, and begins it anew. */
function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** In fish's single quotes, a backslash escapes itself and the quote. */
function fishQuote(text: string): string {
  return `'${text.replaceAll(/['\\]/g, "\\$&")}'`;
}
