/** Draws the slices of a montage: chooses them, turns them the right way round and places them. */
import { drawText, type Picture, textWidth } from './picture';

export interface MontageInput {
  /** Row-major (D, H, W), in [0, 1]. */
  voxels: Float32Array;
  shape: [depth: number, height: number, width: number];
  /** Spacing along (W, H, D). */
  spacingMm: [number, number, number];
  layout: LayoutName;
}

export const CAPTION = "R L: PATIENT'S RIGHT / LEFT - RADIOLOGICAL CONVENTION - RESEARCH USE ONLY";
/** Sizes in pixels. With one coronal and one sagittal slice the grid is full. */
interface Layout {
  columns: number;
  tile: number;
  axialSlices: number;
  margin: number;
  letterScale: number;
  captionScale: number;
}

/** The layout `small` is for pages that show many montages. */
export const LAYOUTS = {
  full: { columns: 4, tile: 256, axialSlices: 14, margin: 6, letterScale: 3, captionScale: 2 },
  small: { columns: 4, tile: 112, axialSlices: 6, margin: 3, letterScale: 2, captionScale: 1 },
} as const satisfies Record<string, Layout>;
export type LayoutName = keyof typeof LAYOUTS;

/** The part of the axial slices that is shown. The slices beyond it hold neck and air. */
const AXIAL_RANGE = [0.1, 0.9] as const;
/** Height of the caption in pixels of its letters, which are seven high. */
const CAPTION_HEIGHT = 15;
const CAPTION_TOP = 4;

/** The letters at the left, right, top and bottom edge of a slice. */
type Sides = [left: string, right: string, top: string, bottom: string];

/** A slice: its size in voxels along x and y, the size of a voxel in mm, and the value at a position. */
interface Slice {
  width: number;
  height: number;
  pixelMm: [x: number, y: number];
  at: (x: number, y: number) => number;
  sides: Sides;
}

/** Draws the grid of slices with its caption. */
export function drawMontage(input: MontageInput): Picture {
  const layout: Layout = LAYOUTS[input.layout];
  const { columns, tile, captionScale: scale } = layout;
  const tiles = slices(input, layout.axialSlices);
  const rows = Math.ceil(tiles.length / columns);
  const width = columns * tile;
  const height = rows * tile + CAPTION_HEIGHT * scale;
  const picture: Picture = { width, height, data: new Uint8Array(width * height) };
  tiles.forEach((slice, index) => {
    drawTile(picture, layout, slice, (index % columns) * tile, Math.floor(index / columns) * tile);
  });
  drawText(picture, CAPTION, (width - textWidth(CAPTION, scale)) / 2, rows * tile + CAPTION_TOP * scale, scale);
  return picture;
}

/**
 * In the array (D, H, W), D runs to Superior, H to Anterior and W to Right. In the image, x grows to the right and y
 * downwards.
 */
function slices({ voxels, shape, spacingMm }: MontageInput, axialSlices: number): Slice[] {
  const [depth, height, width] = shape;
  const [mmW, mmH, mmD] = spacingMm;
  const value = (d: number, h: number, w: number) => voxels[(d * height + h) * width + w] as number;
  const axial = Array.from({ length: axialSlices }, (_, index): Slice => {
    const [from, to] = AXIAL_RANGE;
    const d = Math.floor(depth * (from + ((to - from) * (index + 0.5)) / axialSlices));
    return {
      width,
      height,
      pixelMm: [mmW, mmH],
      // Column 0 shows the highest w: the patient's right.
      at: (x, y) => value(d, height - 1 - y, width - 1 - x),
      sides: ['R', 'L', 'A', 'P'],
    };
  });
  const [middleH, middleW] = [Math.floor(height / 2), Math.floor(width / 2)];
  const coronal: Slice = {
    width,
    height: depth,
    pixelMm: [mmW, mmD],
    at: (x, y) => value(depth - 1 - y, middleH, width - 1 - x),
    sides: ['R', 'L', 'S', 'I'],
  };
  const sagittal: Slice = {
    width: height,
    height: depth,
    pixelMm: [mmH, mmD],
    at: (x, y) => value(depth - 1 - y, height - 1 - x, middleW),
    sides: ['A', 'P', 'S', 'I'],
  };
  return [...axial, coronal, sagittal];
}

/** Fits the slice into the tile with its true proportions and writes its letters on it. */
function drawTile(picture: Picture, layout: Layout, slice: Slice, left: number, top: number): void {
  const { tile, margin, letterScale } = layout;
  const [mmX, mmY] = [slice.width * slice.pixelMm[0], slice.height * slice.pixelMm[1]];
  const pixelsPerMm = tile / Math.max(mmX, mmY);
  const [width, height] = [Math.round(mmX * pixelsPerMm), Math.round(mmY * pixelsPerMm)];
  const [x0, y0] = [left + Math.floor((tile - width) / 2), top + Math.floor((tile - height) / 2)];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const sample = interpolate(
        slice,
        ((x + 0.5) * slice.width) / width - 0.5,
        ((y + 0.5) * slice.height) / height - 0.5,
      );
      picture.data[(y0 + y) * picture.width + x0 + x] = Math.round(255 * Math.min(1, Math.max(0, sample)));
    }
  }
  const [glyphWidth, glyphHeight] = [textWidth('R', letterScale), 7 * letterScale];
  const [middleX, middleY] = [left + (tile - glyphWidth) / 2, top + (tile - glyphHeight) / 2];
  const [leftLetter, rightLetter, topLetter, bottomLetter] = slice.sides;
  drawText(picture, leftLetter, left + margin, middleY, letterScale);
  drawText(picture, rightLetter, left + tile - margin - glyphWidth, middleY, letterScale);
  drawText(picture, topLetter, middleX, top + margin, letterScale);
  drawText(picture, bottomLetter, middleX, top + tile - margin - glyphHeight, letterScale);
}

/** Interpolates bilinearly. Beyond the edge the value is that of the edge. */
function interpolate(slice: Slice, x: number, y: number): number {
  const clampedX = Math.min(slice.width - 1, Math.max(0, x));
  const clampedY = Math.min(slice.height - 1, Math.max(0, y));
  const [x0, y0] = [Math.floor(clampedX), Math.floor(clampedY)];
  const [x1, y1] = [Math.min(slice.width - 1, x0 + 1), Math.min(slice.height - 1, y0 + 1)];
  const [fractionX, fractionY] = [clampedX - x0, clampedY - y0];
  const upper = slice.at(x0, y0) * (1 - fractionX) + slice.at(x1, y0) * fractionX;
  const lower = slice.at(x0, y1) * (1 - fractionX) + slice.at(x1, y1) * fractionX;
  return upper * (1 - fractionY) + lower * fractionY;
}
