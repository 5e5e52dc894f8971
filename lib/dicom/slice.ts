/**
 * Reads from a DICOM file the geometry and identity of its slices and how they were made. Nothing else of a header is
 * read.
 */
import * as dicom from 'dicom-parser';
import type { Acquisition } from './acquisition';

/**
 * One slice: a file's image, or a frame of an enhanced one. Positions are in mm, in DICOM's axes (LPS). Null means not
 * given.
 */
export interface DicomSlice {
  /** The index of the file in the folder's order. */
  file: number;
  /** The index among the file's frames, from 0. */
  frame: number;
  /** Texts that are compared and never shown. */
  series: string;
  instance: string;
  frameOfReference: string | null;
  modality: string | null;
  sopClass: string | null;
  seriesNumber: number | null;
  instanceNumber: number | null;
  /** Echo, acquisition, time point and others of which one series may hold several. They are only compared. */
  echo: string;
  time: string;
  acquisitionNumber: string;
  rows: number;
  columns: number;
  /** The distance in mm between rows, then between columns. */
  pixelSpacing: [number, number] | null;
  /** The direction of a row (along growing columns), then of a column. */
  orientation: number[] | null;
  /** The position of the first pixel's centre. */
  position: number[] | null;
  made: Acquisition;
  pixels: StoredPixels | null;
}

/**
 * The place of uncompressed 16-bit voxels in the file, row by row; null for other voxels, which only the converter
 * reads.
 */
export interface StoredPixels {
  offset: number;
  isSigned: boolean;
}

/** The slices of a file, or the reason why it has no image or an unusable one. */
export type DicomFile = DicomSlice[] | 'foreign' | 'not an image' | 'cut off' | 'colour' | 'frames without positions';

const PIXELS = 'x7fe00010';
const EXPLICIT = '1.2.840.10008.1.2.1';
const IMPLICIT = '1.2.840.10008.1.2';
const PER_FRAME = 'x52009230';
const SHARED = 'x52009229';
const MAX_FRAMES = 4096;

/** Reads the slices of a file, which is in memory as a whole. */
export function readDicomFile(bytes: Uint8Array, file: number): DicomFile {
  const data = parse(bytes);
  if (data === null) return 'foreign';
  const rows = data.uint16('x00280010') ?? 0;
  const columns = data.uint16('x00280011') ?? 0;
  const pixels = data.elements[PIXELS];
  if (rows === 0 || columns === 0 || pixels === undefined) return 'not an image';
  if ((data.uint16('x00280002') ?? 1) !== 1) return 'colour';
  const frames = data.elements[PER_FRAME]?.items ?? [];
  const numFrames = integer(data.string('x00280008')) ?? 1;
  if (frames.length === 0 && numFrames > 1) return 'frames without positions';
  if (frames.length > 0 && (frames.length !== numFrames || numFrames > MAX_FRAMES)) return 'frames without positions';
  const stored = storedPixels(data, pixels, rows * columns * numFrames);
  if (stored === 'cut off') return stored;
  const shared = data.elements[SHARED]?.items?.[0]?.dataSet;
  const layers = frames.length === 0 ? [[data]] : frames.map(({ dataSet }) => present([dataSet, shared, data]));
  return layers.map((layer, frame) => ({
    ...describe(new Lookup(layer), file, frame),
    rows,
    columns,
    pixels: stored === null ? null : { ...stored, offset: stored.offset + 2 * rows * columns * frame },
  }));
}

function parse(bytes: Uint8Array): dicom.DataSet | null {
  const options = {
    untilTag: PIXELS,
    // The converter reads no deflated files, and inflating has no bound.
    inflater: () => {
      throw new Error('deflated');
    },
  };
  try {
    // Archives of old scanners have files without a preamble, which begin with their first group.
    const isBare = bytes[0] === 8 && bytes[1] === 0;
    return dicom.parseDicom(bytes, isBare ? { ...options, TransferSyntaxUID: IMPLICIT } : options);
  } catch {
    return null; // the error's message quotes the file
  }
}

function present<T>(values: (T | undefined)[]): T[] {
  return values.filter((value) => value !== undefined);
}

function storedPixels(data: dicom.DataSet, pixels: dicom.Element, count: number): StoredPixels | null | 'cut off' {
  const syntax = data.string('x00020010') ?? IMPLICIT;
  if (syntax !== EXPLICIT && syntax !== IMPLICIT) return null;
  const bits = data.uint16('x00280100') ?? 0;
  const needed = Math.ceil((count * bits) / 8);
  const { byteLength } = data.byteArray;
  if (pixels.length < needed || pixels.dataOffset + pixels.length > byteLength) return 'cut off';
  if (bits !== 16) return null;
  return { offset: pixels.dataOffset, isSigned: data.uint16('x00280103') === 1 };
}

/**
 * Looks an element up in several data sets and takes the first that has it: a frame's own, the shared one, the file's.
 */
class Lookup {
  readonly #layers: dicom.DataSet[];

  constructor(layers: dicom.DataSet[]) {
    this.#layers = layers;
  }

  /**
   * Returns the values of a text element. `sequences` are the functional groups of an enhanced image in which it may
   * lie.
   */
  texts(tag: string, ...sequences: string[]): string[] {
    return (
      this.#find(tag, sequences)
        ?.string(tag)
        ?.split('\\')
        .map((text) => text.trim()) ?? []
    );
  }

  text(tag: string, ...sequences: string[]): string | null {
    return this.texts(tag, ...sequences)[0] || null;
  }

  /** Returns exactly `count` finite decimals, or null. */
  decimals(count: number, tag: string, ...sequences: string[]): number[] | null {
    const numbers = this.texts(tag, ...sequences).map(decimal);
    return numbers.length === count && numbers.every((value) => value !== null) ? numbers : null;
  }

  /** Returns a positive number, of VR DS or FD. Scanners write 0 for no value. */
  positive(tag: string, vr: 'DS' | 'FD', ...sequences: string[]): number | null {
    const value = vr === 'DS' ? decimal(this.text(tag, ...sequences) ?? '') : this.#double(tag, sequences);
    return value !== null && value > 0 ? value : null;
  }

  #double(tag: string, sequences: string[]): number | null {
    const found = this.#find(tag, sequences);
    const length = found?.elements[tag]?.length ?? 0;
    const value = length >= 8 ? found?.double(tag) : undefined;
    return value === undefined || !Number.isFinite(value) ? null : value;
  }

  #find(tag: string, sequences: string[]): dicom.DataSet | undefined {
    const inner = (data: dicom.DataSet) => present(sequences.map((name) => data.elements[name]?.items?.[0]?.dataSet));
    const candidates = this.#layers.flatMap((data) => [...inner(data), data]);
    return candidates.find((data) => data.elements[tag] !== undefined);
  }
}

function describe(header: Lookup, file: number, frame: number): Omit<DicomSlice, 'rows' | 'columns' | 'pixels'> {
  return {
    file,
    frame,
    series: header.text('x0020000e') ?? '',
    instance: header.text('x00080018') ?? '',
    frameOfReference: header.text('x00200052'),
    modality: header.text('x00080060'),
    sopClass: header.text('x00080016') ?? header.text('x00020002'),
    seriesNumber: integer(header.text('x00200011')),
    instanceNumber: integer(header.text('x00200013')),
    echo: `${header.text('x00180086')}/${header.text('x00180081')}`,
    time: `${header.text('x00200100')}/${header.text('x00181060')}`,
    acquisitionNumber: header.text('x00200012') ?? '',
    pixelSpacing: header.decimals(2, 'x00280030', 'x00289110') as [number, number] | null,
    orientation: header.decimals(6, 'x00200037', 'x00209116'),
    position: header.decimals(3, 'x00200032', 'x00209113'),
    made: {
      imageType: [...header.texts('x00080008'), ...header.texts('x00089007', 'x00189226').slice(2)].map((text) =>
        text.toUpperCase(),
      ),
      scanningSequence: header.texts('x00180020').map((text) => text.toUpperCase()),
      sequenceName: header.text('x00180024'),
      repetitionTimeMs: header.positive('x00180080', 'DS', 'x00189112'),
      echoTimeMs: header.positive('x00180081', 'DS') ?? header.positive('x00189082', 'FD', 'x00189114'),
      inversionTimeMs: header.positive('x00180082', 'DS') ?? header.positive('x00189079', 'FD', 'x00189115'),
      hasInversion: header.text('x00189009', 'x00189115') === 'YES',
      contrast: header.text('x00089209', 'x00189226'),
      component: header.text('x00089208', 'x00189226'),
      isAngiography: header.text('x00180025') === 'Y',
      bValue: header.positive('x00189087', 'FD', 'x00189117'),
    },
  };
}

/** Parses a DS, a plain or exponential decimal; anything else gives no value. */
function decimal(text: string): number | null {
  return /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i.test(text) ? Number(text) : null;
}

function integer(text: string | null | undefined): number | null {
  return /^[+-]?\d{1,12}$/.test(text?.trim() ?? '') ? Number(text) : null;
}
