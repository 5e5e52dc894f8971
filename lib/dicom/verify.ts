/** Checks that a converter's volume is the one that the slices' headers and voxels describe. */
import type { SliceStack } from './geometry';
import type { DicomSlice } from './slice';

// The largest deviation of a position in the volume, in voxels. A slice or a voxel more or less, or a flip, gives at
// least 1.
const MAX_VOXELS_OFF = 0.5;
// Scaling and rounding to float32 keep the correlation of a slice within 1e-6 of 1; that with another slice is well
// below.
const MIN_CORRELATION = 1 - 1e-4;
const SAMPLES_PER_SIDE = 48;

/** A NIfTI-1 file as dcm2niix writes it: little-endian, one file. */
class Converted {
  readonly shape: number[];
  readonly numVolumes: number;
  readonly hasAffine: boolean;
  /** Row-major 3 x 4. */
  readonly affine: number[];
  readonly #view: DataView;
  readonly #voxels: number;
  readonly #datatype: number;

  constructor(nifti: Uint8Array) {
    const view = new DataView(nifti.buffer, nifti.byteOffset, nifti.byteLength);
    const rank = view.getInt16(40, true);
    const dim = Array.from({ length: 7 }, (_, axis) => (axis < rank ? view.getInt16(42 + 2 * axis, true) : 1));
    this.shape = dim.slice(0, 3);
    this.numVolumes = dim.slice(3).reduce((product, size) => product * size, 1);
    this.hasAffine = view.getInt16(254, true) > 0;
    this.affine = Array.from({ length: 12 }, (_, index) => view.getFloat32(280 + 4 * index, true));
    this.#view = view;
    this.#voxels = view.getFloat32(108, true);
    this.#datatype = view.getInt16(70, true);
  }

  /** Returns the stored value of voxel (i, j, k); null for a data type that DICOM slices of 16 bits do not become. */
  at(index: number): number | null {
    const view = this.#view;
    switch (this.#datatype) {
      case 4:
        return view.getInt16(this.#voxels + 2 * index, true);
      case 512:
        return view.getUint16(this.#voxels + 2 * index, true);
      case 8:
        return view.getInt32(this.#voxels + 4 * index, true);
      case 16:
        return view.getFloat32(this.#voxels + 4 * index, true);
      default:
        return null;
    }
  }
}

/** For a voxel axis of the volume: its axis of the stack, whether it runs backwards, and its length. */
interface AxisOfStack {
  axis: number;
  sign: number;
  offset: number;
}

/**
 * Compares shape and affine and, for uncompressed 16-bit slices, a grid of voxels in each.
 * @param bytes of the file at an index
 * @returns what differs, or null
 */
export function conversionFault(
  stack: SliceStack,
  bytes: (file: number) => Uint8Array,
  nifti: Uint8Array,
): string | null {
  const converted = new Converted(nifti);
  if (converted.numVolumes !== 1) return `it has ${converted.numVolumes} volumes, expected one`;
  if (!converted.hasAffine) return 'it does not say how it lies in the patient';
  const axes = stackAxes(stack, converted);
  if (axes === null) return 'it does not lie where the slices lie, or has other sizes';
  for (const [index, slice] of stack.slices.entries())
    if (slice.pixels !== null && !isSameSlice(slice, index, bytes(slice.file), converted, axes))
      return 'its voxels are not those of the slices at their places';
  return null;
}

/** Returns null unless the volume's voxel grid is the stack's except for flips and a permutation of axes. */
function stackAxes({ shape, affine }: SliceStack, converted: Converted): AxisOfStack[] | null {
  const inverse = invert(converted.affine);
  if (inverse === null) return null;
  // Converts an index of the stack to one of the volume.
  const toVolume = (index: number[]): number[] => {
    const mm = [0, 1, 2].map((row) =>
      [...index, 1].reduce((sum, value, at) => sum + value * (affine[4 * row + at] as number), 0),
    );
    return [0, 1, 2].map((row) =>
      [...mm, 1].reduce((sum, value, at) => sum + value * (inverse[4 * row + at] as number), 0),
    );
  };
  const origin = toVolume([0, 0, 0]);
  const axes = [0, 1, 2].map((row): AxisOfStack => {
    const steps = [0, 1, 2].map(
      (axis) => (toVolume([0, 1, 2].map((at) => (at === axis ? 1 : 0)))[row] as number) - (origin[row] as number),
    );
    const axis = [0, 1, 2].reduce(
      (best, at) => (Math.abs(steps[at] as number) > Math.abs(steps[best] as number) ? at : best),
      0,
    );
    const sign = Math.sign(steps[axis] as number);
    return { axis, sign, offset: sign < 0 ? (converted.shape[row] as number) - 1 : 0 };
  });
  if (new Set(axes.map(({ axis }) => axis)).size !== 3) return null;
  if (axes.some(({ axis }, row) => converted.shape[row] !== shape[axis])) return null;
  for (let corner = 0; corner < 8; corner++) {
    const index = shape.map((size, axis) => ((corner >> axis) & 1 ? size - 1 : 0));
    const exact = toVolume(index);
    const off = axes.map(({ axis, sign, offset }, row) =>
      Math.abs((exact[row] as number) - (offset + sign * (index[axis] as number))),
    );
    if (!off.every((voxels) => voxels <= MAX_VOXELS_OFF)) return null;
  }
  return axes;
}

function isSameSlice(
  slice: DicomSlice,
  k: number,
  bytes: Uint8Array,
  converted: Converted,
  axes: AxisOfStack[],
): boolean {
  const { pixels, rows, columns } = slice;
  if (pixels === null) return true;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const strides = [1, converted.shape[0] as number, (converted.shape[0] as number) * (converted.shape[1] as number)];
  const [stepOfRow, stepOfColumn] = [rows, columns].map((size) => Math.max(1, Math.floor(size / SAMPLES_PER_SIDE))) as [
    number,
    number,
  ];
  const pairs: [number, number][] = [];
  for (let r = 0; r < rows; r += stepOfRow)
    for (let c = 0; c < columns; c += stepOfColumn) {
      const at = pixels.offset + 2 * (r * columns + c);
      const index = [c, r, k];
      const voxel = axes.reduce(
        (sum, { axis, sign, offset }, row) =>
          sum + (strides[row] as number) * (offset + sign * (index[axis] as number)),
        0,
      );
      const value = converted.at(voxel);
      if (value === null) return true;
      pairs.push([pixels.isSigned ? view.getInt16(at, true) : view.getUint16(at, true), value]);
    }
  return isLinear(pairs);
}

/** Whether the second values are the first ones except for a scale and a shift. */
function isLinear(pairs: [number, number][]): boolean {
  const [meanA, meanB] = [0, 1].map(
    (side) => pairs.reduce((sum, pair) => sum + (pair[side] as number), 0) / pairs.length,
  ) as [number, number];
  let [ab, aa, bb] = [0, 0, 0];
  for (const [a, b] of pairs) {
    ab += (a - meanA) * (b - meanB);
    aa += (a - meanA) ** 2;
    bb += (b - meanB) ** 2;
  }
  if (aa === 0 || bb === 0) return aa === bb;
  return ab / Math.sqrt(aa * bb) >= MIN_CORRELATION;
}

/** Inverts a row-major 3 x 4 affine; null if it is singular. */
function invert(a: number[]): number[] | null {
  const m = (row: number, column: number) => a[4 * row + column] as number;
  const cofactor = (row: number, column: number) => {
    const [r1, r2, c1, c2] = [(row + 1) % 3, (row + 2) % 3, (column + 1) % 3, (column + 2) % 3];
    return m(r1, c1) * m(r2, c2) - m(r1, c2) * m(r2, c1);
  };
  const determinant = [0, 1, 2].reduce((sum, column) => sum + m(0, column) * cofactor(0, column), 0);
  if (!(Math.abs(determinant) > 1e-9)) return null;
  return [0, 1, 2].flatMap((row) => {
    const values = [0, 1, 2].map((column) => cofactor(column, row) / determinant);
    return [...values, -values.reduce((sum, value, at) => sum + value * m(at, 3), 0)];
  });
}
