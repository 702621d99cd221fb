/** Colours for a terminal, and none elsewhere (https://no-color.org). */

import type { Io } from "./verb.ts";

export type Colour = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

/** Paints a text, or leaves it as it is. */
export type Paint = (colour: Colour, text: string) => string;

const CODES: { readonly [C in Colour]: readonly [on: number, off: number] } = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
};

export const plain: Paint = (_colour, text) => text;

export const coloured: Paint = (colour, text) =>
  `\u001b[${CODES[colour][0]}m${text}\u001b[${CODES[colour][1]}m`;

/** Colour for a terminal that knows it, unless NO_COLOR is set to anything but nothing. */
export function painter(io: Io): Paint {
  const refused = (io.env.NO_COLOR ?? "") !== "" || io.env.TERM === "dumb";
  return io.isTty && !refused ? coloured : plain;
}
