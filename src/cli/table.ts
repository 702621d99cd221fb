/** Lays out columns for a terminal of any width: what does not fit goes, the least important first. */

import { type Colour, type Paint, plain } from "./colour.ts";

export interface Column<Row> {
  readonly title: string;
  readonly align: "left" | "right";
  /** 0 always stays; the highest number goes first. */
  readonly rank: number;
  readonly cell: (row: Row) => string;
  readonly colour?: (row: Row) => Colour | undefined;
}

const GAP = "  ";

/**
 * @param width in characters; Infinity shows everything
 * @returns the header and a line for each row, without trailing blanks
 */
export function renderTable<Row>(
  columns: readonly Column<Row>[],
  rows: readonly Row[],
  width: number,
  paint: Paint = plain,
): string[] {
  const shown = squeeze(
    columns.map((column) => ({ column, width: widthOf(column, rows) })),
    width,
  );
  const header = shown.map(({ column, width }) => pad(column.title, width, column.align)).join(GAP);
  return [
    paint("dim", header.trimEnd().slice(0, width)),
    ...rows.map((row) => renderRow(row, shown, width, paint)),
  ];
}

interface Shown<Row> {
  readonly column: Column<Row>;
  readonly width: number;
}

function widthOf<Row>(column: Column<Row>, rows: readonly Row[]): number {
  return rows.reduce((most, row) => Math.max(most, column.cell(row).length), column.title.length);
}

function squeeze<Row>(columns: readonly Shown<Row>[], width: number): readonly Shown<Row>[] {
  let shown = columns;
  while (shown.reduce((sum, { width }) => sum + width + GAP.length, -GAP.length) > width) {
    const worst = Math.max(...shown.map(({ column }) => column.rank));
    if (worst === 0) break;
    const last = shown.findLastIndex(({ column }) => column.rank === worst);
    shown = shown.filter((_, index) => index !== last);
  }
  return shown;
}

function renderRow<Row>(row: Row, shown: readonly Shown<Row>[], width: number, paint: Paint): string {
  let left = width;
  const cells = shown.map(({ column, width: wide }, index) => {
    const isLast = index === shown.length - 1;
    const padded = pad(column.cell(row), wide, column.align);
    // Nothing but the last column may be cut, and blanks at the end of a line help nobody.
    const text = isLast ? padded.trimEnd().slice(0, Math.max(0, left)) : padded;
    left -= text.length + GAP.length;
    const colour = column.colour?.(row);
    return colour === undefined ? text : paint(colour, text);
  });
  return cells.join(GAP).trimEnd();
}

function pad(text: string, width: number, align: "left" | "right"): string {
  return align === "left" ? text.padEnd(width) : text.padStart(width);
}
