/** Grey pictures with text. */

/** Pixels are 8-bit grey, row-major from the top left. */
export interface Picture {
  width: number;
  height: number;
  data: Uint8Array;
}

const GLYPH_WIDTH = 5;
const ADVANCE = GLYPH_WIDTH + 1;
const INK = 255;
const OUTLINE = 0;

/**
 * Glyphs of seven rows of five pixels, top first; the highest of the five bits is the leftmost pixel. The table has
 * only the letters that are used.
 */
const FONT: Record<string, readonly number[]> = {
  ' ': [0, 0, 0, 0, 0, 0, 0],
  "'": [4, 4, 8, 0, 0, 0, 0],
  '-': [0, 0, 0, 31, 0, 0, 0],
  '/': [1, 1, 2, 4, 8, 16, 16],
  ':': [0, 4, 0, 0, 0, 4, 0],
  A: [14, 17, 17, 31, 17, 17, 17],
  C: [14, 17, 16, 16, 16, 17, 14],
  D: [30, 17, 17, 17, 17, 17, 30],
  E: [31, 16, 16, 30, 16, 16, 31],
  F: [31, 16, 16, 30, 16, 16, 16],
  G: [14, 17, 16, 23, 17, 17, 15],
  H: [17, 17, 17, 31, 17, 17, 17],
  I: [14, 4, 4, 4, 4, 4, 14],
  L: [16, 16, 16, 16, 16, 16, 31],
  N: [17, 25, 21, 21, 19, 17, 17],
  O: [14, 17, 17, 17, 17, 17, 14],
  P: [30, 17, 17, 30, 16, 16, 16],
  R: [30, 17, 17, 30, 20, 18, 17],
  S: [15, 16, 16, 14, 1, 1, 30],
  T: [31, 4, 4, 4, 4, 4, 4],
  U: [17, 17, 17, 17, 17, 17, 14],
  V: [17, 17, 17, 17, 17, 10, 4],
  Y: [17, 17, 10, 4, 4, 4, 4],
};

/** The width of `text` in pixels. */
export function textWidth(text: string, scale: number): number {
  return (text.length * ADVANCE - 1) * scale;
}

/**
 * Draws white text with a black outline, so that it can be read on bright tissue too. @throws {RangeError} on a letter
 * without a glyph
 */
export function drawText(picture: Picture, text: string, left: number, top: number, scale: number): void {
  for (const [offset, value] of [
    [1, OUTLINE],
    [0, INK],
  ] as const) {
    [...text].forEach((letter, index) => {
      drawGlyph(
        picture,
        glyph(letter),
        Math.round(left) + index * ADVANCE * scale,
        Math.round(top),
        scale,
        offset,
        value,
      );
    });
  }
}

function glyph(letter: string): readonly number[] {
  const rows = FONT[letter];
  if (rows === undefined) throw new RangeError(`drawText: expected a letter of the font, got '${letter}'`);
  return rows;
}

/** Draws each pixel of the glyph as a square that is `grow` pixels larger on every side. */
function drawGlyph(
  picture: Picture,
  rows: readonly number[],
  left: number,
  top: number,
  scale: number,
  grow: number,
  value: number,
): void {
  rows.forEach((bits, row) => {
    for (let column = 0; column < GLYPH_WIDTH; column++) {
      if ((bits & (1 << (GLYPH_WIDTH - 1 - column))) === 0) continue;
      const [x, y] = [left + column * scale, top + row * scale];
      for (let py = y - grow; py < y + scale + grow; py++) {
        picture.data.fill(value, py * picture.width + x - grow, py * picture.width + x + scale + grow);
      }
    }
  });
}
