/** `${VAR}` and `${VAR:-default}` in the strings of a config file. */

/** Group 1: the escaped literal `$${`, 2: the name, 3: the default; neither where the braces are not closed or hold something else. */
const EXPRESSION = /(\$\$\{)|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?/g;

/** Whether the string holds an expression or an escape. */
export function hasExpression(text: string): boolean {
  return text.includes("${");
}

/**
 * Puts the values of variables into a string. As in a shell, the default also stands in for an empty value,
 * and `$${` is a literal `${`.
 *
 * @throws RangeError naming the variable that is not set, or the expression that cannot be read
 */
export function expand(text: string, variables: Readonly<Record<string, string | undefined>>): string {
  return text.replaceAll(EXPRESSION, (match, literal?: string, name?: string, fallback?: string) => {
    if (literal !== undefined) return "${";
    if (name === undefined) {
      throw new RangeError(
        // biome-ignore lint/suspicious/noTemplateCurlyInString: these are the forms themselves
        'has a "${" that is neither ${NAME} nor ${NAME:-default}; write "$${" for a literal one',
      );
    }
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value !== undefined) return value;
    throw new RangeError(
      `the environment variable ${name} is not set; set it, or write ${match.slice(0, -1)}:-default}`,
    );
  });
}
