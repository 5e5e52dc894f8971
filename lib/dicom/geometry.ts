/**
 * Checks that DICOM slices are one volume: one series, one orientation, positions that are distinct and evenly spaced.
 */
import type { DicomSlice } from './slice';

/** One volume by the slices' own headers. */
export interface SliceStack {
  /** The slices from one end of the stack to the other. */
  slices: DicomSlice[];
  /** The numbers of columns, rows and slices. */
  shape: [number, number, number];
  /** The row-major 4 x 4 matrix from (column, row, slice) to RAS mm, as a NIfTI affine. */
  affine: number[];
}

/** The fault of a stack that cannot be read as a volume, for a message that begins "it ...". */
export interface StackFault {
  code: 'BRAIN3D_FORMAT' | 'BRAIN3D_UNSUPPORTED';
  field: string;
  reason: string;
}

type Vector = readonly number[];

// Headers are decimal texts of at most 16 characters, and scanners round positions to a tenth of a millimetre or less.
const MAX_OFF_LINE_MM = 0.1;
const MAX_OFF_LINE_SHARE = 0.05; // a share of the distance between slices
const MAX_TILT_DEGREES = 1;
const MAX_DIRECTION_DIFFERENCE = 1e-3; // the difference of a cosine
const MAX_SPACING_DIFFERENCE = 1e-3; // the relative difference

/**
 * @returns the volume, or the first fault: several series, sizes, directions or frames of reference; no positions;
 *   positions that repeat; missing, uneven or tilted slices. A slice lies at most 0.1 mm, or 5 % of the distance
 *   between slices where that is more, from where an even stack along the slices' normal has it, and the stack is
 *   tilted by at most 1 degree.
 */
export function stackSlices(slices: readonly DicomSlice[]): SliceStack | StackFault {
  const [first] = slices as [DicomSlice];
  const series = groups(slices, ({ series }) => series);
  if (series.length > 1) return severalSeries(series);
  if (slices.length === 1) return format('InstanceNumber', 'it holds a single slice, and a volume has several');
  if (groups(slices, ({ modality, sopClass }) => `${modality} ${sopClass}`).length > 1)
    return format('Modality', 'its slices have several modalities or classes of image');
  const [size, otherSize] = groups(slices, ({ rows, columns }) => `${rows} ${columns}`);
  if (size === undefined || otherSize !== undefined) return format('Rows', 'its slices have several sizes');
  const placed = slices.filter(isPlaced);
  if (placed.length < slices.length)
    return format(
      'ImagePositionPatient',
      `${slices.length - placed.length} of its ${slices.length} slices do not say where and which way they lie, or with what spacing`,
    );
  const [reference] = placed as [Placed];
  if (groups(placed, ({ frameOfReference }) => frameOfReference ?? '').length > 1)
    return format(
      'FrameOfReferenceUID',
      'its slices have several frames of reference, so they were not taken in one position',
    );
  if (
    !placed.every((slice) =>
      isSame(slice.pixelSpacing, reference.pixelSpacing, MAX_SPACING_DIFFERENCE * reference.pixelSpacing[0]),
    )
  )
    return format('PixelSpacing', 'its slices have several pixel spacings');
  const row = reference.orientation.slice(0, 3);
  const column = reference.orientation.slice(3);
  if (Math.abs(length(row) - 1) > 0.01 || Math.abs(length(column) - 1) > 0.01 || Math.abs(dot(row, column)) > 0.01)
    return format('ImageOrientationPatient', 'its slices say no two perpendicular directions for rows and columns');
  const directions = groups(placed, ({ orientation }) =>
    isSame(orientation, reference.orientation, MAX_DIRECTION_DIFFERENCE) ? '' : orientation.join(' '),
  );
  if (directions.length > 1)
    return format(
      'ImageOrientationPatient',
      'its slices lie in several directions, as those of a localizer do; a volume has one',
    );
  return evenStack(placed, row, column, first);
}

type Placed = DicomSlice & { pixelSpacing: [number, number]; orientation: number[]; position: number[] };

function isPlaced(slice: DicomSlice): slice is Placed {
  const { pixelSpacing, orientation, position } = slice;
  return position !== null && orientation !== null && (pixelSpacing?.every((mm) => mm > 0) ?? false);
}

function evenStack(
  placed: Placed[],
  row: Vector,
  column: Vector,
  { rows, columns }: DicomSlice,
): SliceStack | StackFault {
  const normal = cross(row, column);
  const height = ({ position }: Placed): number => dot(position, normal);
  const sorted = placed.toSorted((a, b) => height(a) - height(b) || a.file - b.file || a.frame - b.frame);
  const [lowest, highest] = [sorted[0] as Placed, sorted.at(-1) as Placed];
  const steps = sorted.slice(1).map((slice, index) => height(slice) - height(sorted[index] as Placed));
  const repeated = repeats(sorted, steps);
  if (repeated !== null) return repeated;
  const usual = median(steps);
  const gaps = steps.map((step) => Math.round(step / usual) - 1).filter((missing) => missing > 0);
  const tolerance = Math.max(MAX_OFF_LINE_MM, MAX_OFF_LINE_SHARE * usual);
  const missing = gaps.reduce((sum, count) => sum + count, 0);
  const isWhole = steps.every(
    (step) => Math.abs(step - usual * Math.max(1, Math.round(step / usual))) <= 2 * tolerance,
  );
  if (missing > 0 && missing < sorted.length && isWhole)
    return format(
      'ImagePositionPatient',
      `${missing === 1 ? 'a slice is' : `${missing} slices are`} missing: of ${sorted.length} slices most lie ${shown(usual)} mm ` +
        `apart, and ${gaps.length === 1 ? 'one pair' : `${gaps.length} pairs`} a multiple of that; copy the series again`,
    );
  const step = scale(subtract(highest.position, lowest.position), 1 / (sorted.length - 1));
  const offLine = (slice: Placed, index: number): number =>
    length(subtract(slice.position, add(lowest.position, scale(step, index))));
  const tilt = (Math.acos(Math.min(1, dot(step, normal) / length(step))) * 180) / Math.PI;
  if (tilt > MAX_TILT_DEGREES)
    return format(
      'ImagePositionPatient',
      `its slices are shifted against each other (a tilt of ${shown(tilt)} degrees), so that they are no upright stack`,
    );
  if (Math.max(...sorted.map(offLine)) > tolerance)
    return format(
      'ImagePositionPatient',
      `its slices are not evenly spaced: from ${shown(Math.min(...steps))} to ${shown(Math.max(...steps))} mm apart, where one ` +
        `may be ${shown(tolerance)} mm off`,
    );
  const [mmPerRow, mmPerColumn] = lowest.pixelSpacing;
  const columnsOfMatrix = [scale(row, mmPerColumn), scale(column, mmPerRow), step, lowest.position];
  // From LPS to RAS the first two coordinates change sign.
  const affine = [-1, -1, 1].flatMap((sign, axis) =>
    columnsOfMatrix.map((vector) => sign * (vector[axis] as number) + 0),
  ); // no negative zeros
  return { slices: sorted, shape: [columns, rows, sorted.length], affine: [...affine, 0, 0, 0, 1] };
}

/** Finds slices that repeat positions: their distance is zero, or negligible beside the others. */
function repeats(sorted: Placed[], steps: number[]): StackFault | null {
  const largest = Math.max(...steps);
  const isRepeat = steps.map((step) => step <= Math.max(0.01, Math.min(MAX_OFF_LINE_MM, 0.1 * largest)));
  const count = isRepeat.filter((is) => is).length;
  if (count === 0) return null;
  const pairs = isRepeat.flatMap((is, index) => (is ? [[sorted[index], sorted[index + 1]] as [Placed, Placed]] : []));
  const differ = (of: (slice: Placed) => unknown): boolean => pairs.some(([a, b]) => of(a) !== of(b));
  const why = pairs.every(([a, b]) => a.instance === b.instance && a.frame === b.frame)
    ? 'they are copies of the same images; remove the copies'
    : differ(({ echo }) => echo)
      ? 'the series holds several echoes; give the slices of one'
      : differ(({ made }) => made.bValue)
        ? 'the series holds several diffusion weightings; give the slices of one'
        : differ(({ time }) => time)
          ? 'the series holds several time points; give the slices of one'
          : differ(({ acquisitionNumber }) => acquisitionNumber)
            ? 'the series holds several acquisitions; give the slices of one'
            : 'the series is there more than once, or holds several images; give the slices of one';
  return format(
    'ImagePositionPatient',
    `positions repeat: ${count} of its ${sorted.length} slices lie where another one lies; ${why}`,
  );
}

/**
 * Returns warnings from the image numbers, which positions cannot give: slices are missing at an end, or are no whole
 * series.
 */
export function numberWarnings({ slices }: SliceStack): string[] {
  if (slices.some(({ frame }) => frame > 0)) return []; // frames of one file have no numbers of their own
  const numbers = slices.flatMap(({ instanceNumber }) => instanceNumber ?? []);
  const unnumbered = slices.length - numbers.length;
  if (unnumbered > 0)
    return [
      `instanceNumbers: ${unnumbered} of ${slices.length} slices have no instance number; they are in the order of their positions`,
    ];
  const steps = new Set(numbers.slice(1).map((number, index) => number - (numbers[index] as number)));
  if (steps.size <= 1 && !steps.has(0)) return [];
  return [
    'instanceNumbers: the instance numbers do not count the slices in the order of their positions; they are in the order of ' +
      'their positions, and some may be missing at an end',
  ];
}

function severalSeries(series: DicomSlice[][]): StackFault {
  const found = series.map((slices) => {
    const { seriesNumber, columns, rows } = slices[0] as DicomSlice;
    return { seriesNumber, text: `${seriesNumber ?? 'without a number'} (${columns} x ${rows} x ${slices.length})` };
  });
  const list = found.toSorted((a, b) => (a.seriesNumber ?? 0) - (b.seriesNumber ?? 0)).map(({ text }) => text);
  return {
    code: 'BRAIN3D_UNSUPPORTED',
    field: 'SeriesInstanceUID',
    reason:
      `holds ${series.length} images, expected one; by series number: ${list.join(', ')}; ` +
      'put the slices of one series into a folder of their own',
  };
}

function format(field: string, reason: string): StackFault {
  return { code: 'BRAIN3D_FORMAT', field, reason };
}

function groups<T>(items: readonly T[], key: (item: T) => string): T[][] {
  const found = new Map<string, T[]>();
  for (const item of items) found.set(key(item), [...(found.get(key(item)) ?? []), item]);
  return [...found.values()];
}

function isSame(a: Vector, b: Vector, tolerance: number): boolean {
  return a.every((value, index) => Math.abs(value - (b[index] as number)) <= tolerance);
}

/** Returns the median; of two middle values the lower one. */
function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[(values.length - 1) >> 1] as number;
}

function dot(a: Vector, b: Vector): number {
  return a.reduce((sum, value, index) => sum + value * (b[index] as number), 0);
}

function length(a: Vector): number {
  return Math.sqrt(dot(a, a));
}

function cross(a: Vector, b: Vector): Vector {
  const at = (vector: Vector, index: number) => vector[index % 3] as number;
  return [0, 1, 2].map((axis) => at(a, axis + 1) * at(b, axis + 2) - at(a, axis + 2) * at(b, axis + 1));
}

function add(a: Vector, b: Vector): Vector {
  return a.map((value, index) => value + (b[index] as number));
}

function subtract(a: Vector, b: Vector): Vector {
  return add(a, scale(b, -1));
}

function scale(a: Vector, factor: number): Vector {
  return a.map((value) => value * factor);
}

function shown(value: number): string {
  return String(Number(value.toFixed(2)));
}
