/** Keeps what workers and their clients wrote from steering the reader's terminal. */

const CONTROL = /[\u0000-\u0008\u000a-\u001f\u007f-\u009f]/g;
/** Select Graphic Rendition: colours and weights, which do no harm. */
const SGR = /\u001b\[[\d;:]*m/;
const SGR_OR_CONTROL = new RegExp(`${SGR.source}|${CONTROL.source}`, "g");

const escaped = (char: string) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`;

/** One line without control characters, tabs excepted; each becomes `\x1b`. */
export function printable(text: string): string {
  return text.replaceAll(CONTROL, escaped);
}

/** The same, but colours stay, and are switched off at the end. */
export function printableWithColour(text: string): string {
  let coloured = false;
  const clean = text.replaceAll(SGR_OR_CONTROL, (match) => {
    if (match.length === 1) return escaped(match);
    coloured = true;
    return match;
  });
  return coloured ? `${clean}\u001b[0m` : clean;
}
