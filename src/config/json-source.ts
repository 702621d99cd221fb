/** JSON with comments and trailing commas, as a value and the line and column of each of its parts. */

import { findNodeAtLocation, type Node, type ParseError, parseTree, printParseErrorCode } from "jsonc-parser";
import { formatPath, type Segment } from "./place.ts";
import type { Source, Spot } from "./source.ts";
import type { ConfigIssue } from "./types.ts";

/** One sentence for each way in which the text can fail to be JSON, by the parser's name for it. */
const SYNTAX_ERRORS: Readonly<Record<string, string>> = {
  InvalidSymbol: "this is not JSON; text needs double quotes",
  InvalidNumberFormat: "this is not a number as JSON writes them",
  PropertyNameExpected: "a key in double quotes is expected here",
  ValueExpected: "a value is expected here",
  ColonExpected: 'a ":" is expected between the key and its value',
  CommaExpected: "a comma is missing before this",
  CloseBraceExpected: 'a "}" is missing',
  CloseBracketExpected: 'a "]" is missing',
  EndOfFileExpected: "the configuration ends before this; remove the rest",
  UnexpectedEndOfComment: 'this comment has no end; write "*/"',
  UnexpectedEndOfString: 'this string has no end; write a second """ on its line',
  UnexpectedEndOfNumber: "this number is not complete",
  InvalidUnicode: "this is not a Unicode escape; write four hexadecimal digits after \\u",
  InvalidEscapeCharacter: 'this is not an escape; write "\\\\" for a backslash',
  InvalidCharacter: "a control character cannot stand in a string; write an escape such as \\t",
};

/**
 * Reads what can be read, also of a broken file: {@link Source.value} then holds the rest, and {@link Source.issues}
 * the errors, one a line, for one slip makes the parser stumble several times.
 */
export function parseJson(text: string): Source {
  const spotAt = spotter(text);
  const mentions = (word: string) => text.includes(word);
  const errors: ParseError[] = [];
  try {
    const root = parseTree(text, errors, { allowTrailingComma: true });
    const issues = syntaxIssues(errors, spotAt);
    const value = root === undefined ? undefined : toValue(root, [], spotAt, issues);
    return { value, broken: errors.length > 0, issues, mentions, locate: locator(root, spotAt) };
  } catch (error) {
    // The parser recurses; the stack is what bounds the depth.
    if (!(error instanceof RangeError)) throw error;
    const issue = { path: "", line: null, column: null, message: "is nested too deeply to be read" };
    return { value: undefined, broken: true, issues: [issue], mentions, locate: () => null };
  }
}

function syntaxIssues(errors: readonly ParseError[], spotAt: (offset: number) => Spot): ConfigIssue[] {
  // After text without quotes, the parser complains about whatever comes next too.
  const unquoted = errors.filter(({ error }) => printParseErrorCode(error) === "InvalidSymbol");
  const firstOfLine = new Map<number, ConfigIssue>();
  for (const { error, offset } of unquoted.length > 0 ? unquoted : errors) {
    const spot = spotAt(offset);
    if (firstOfLine.has(spot.line)) continue;
    const message = SYNTAX_ERRORS[printParseErrorCode(error)] ?? "this is not JSON";
    firstOfLine.set(spot.line, { path: "", ...spot, message });
  }
  return [...firstOfLine.values()];
}

/** Objects get no prototype, so that a key such as `__proto__` is a key like any other. */
function toValue(
  node: Node,
  path: readonly Segment[],
  spotAt: (offset: number) => Spot,
  issues: ConfigIssue[],
): unknown {
  if (node.type === "array") {
    return (node.children ?? []).map((child, index) => toValue(child, [...path, index], spotAt, issues));
  }
  if (node.type !== "object") return node.value;

  const object: Record<string, unknown> = Object.create(null);
  for (const property of node.children ?? []) {
    const [keyNode, valueNode] = property.children ?? [];
    if (keyNode === undefined || valueNode === undefined) continue;
    const key = String(keyNode.value);
    const here = [...path, key];
    if (key in object) {
      const message = "this key appears twice in the same object; remove one of them";
      issues.push({ path: formatPath(here), ...spotAt(keyNode.offset), message });
    }
    object[key] = toValue(valueNode, here, spotAt, issues);
  }
  return object;
}

/** Finds the nearest part that the file has: of a default it is the object that could have held it. */
function locator(root: Node | undefined, spotAt: (offset: number) => Spot): Source["locate"] {
  return (segments, of) => {
    for (let length = segments.length; root !== undefined && length >= 0; length--) {
      const node = findNodeAtLocation(root, segments.slice(0, length));
      if (node === undefined) continue;
      const exact = length === segments.length;
      const key = of === "key" && exact && node.parent?.type === "property" ? node.parent : node;
      return spotAt(key.offset);
    }
    return null;
  };
}

/** Turns offsets into lines and columns, both from 1. */
function spotter(text: string): (offset: number) => Spot {
  const starts = [0];
  for (const match of text.matchAll(/\r\n|\n|\r/g)) starts.push(match.index + match[0].length);
  return (offset) => {
    let low = 0;
    let high = starts.length - 1;
    while (low < high) {
      const middle = Math.ceil((low + high) / 2);
      if (starts[middle]! <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - starts[low]! + 1 };
  };
}
