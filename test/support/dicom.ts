/** Writes a small, valid MR series: DICOM Part 10, explicit VR little-endian, one file for each slice. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const UID_ROOT = '1.2.826.0.1.3680043.8.498';
const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
const MR_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.4';
const LONG_LENGTH = new Set(['OB', 'OW', 'SQ', 'UN', 'UT']);

export interface DicomSeries {
  seriesNumber?: number;
  /** Stored values, one array for each slice, row-major (rows, columns). */
  slices: Uint16Array[];
  rows: number;
  columns: number;
  /** The row direction, then the column direction, in LPS. */
  orientation: [number, number, number, number, number, number];
  /** The LPS position in mm of the first pixel of each slice. */
  positions: [number, number, number][];
  /** The distance between rows, then between columns. */
  pixelSpacing: [number, number];
  sliceThickness: number;
  rescaleSlope?: number;
  rescaleIntercept?: number;
  patientName?: string;
  /** Elements of a slice to set, or to leave out where null, by tag (`00180082`). */
  set?: (slice: number) => Record<string, DicomElement | null | undefined>;
  /** A prefix for the names of the files. */
  prefix?: string;
}

/** The value representation, and the value as text or bytes. */
export type DicomElement = [vr: string, value: string | Buffer];

/** Makes `folder` and writes the slices in it under names that say nothing. */
export function writeDicomSeries(folder: string, series: DicomSeries): void {
  mkdirSync(folder, { recursive: true });
  const number = series.seriesNumber ?? 1;
  series.slices.forEach((pixels, index) => {
    // The names' order is not the patient's, as in archives.
    const name = `${series.prefix ?? 'IM'}${number}_${String((index * 7) % 1000).padStart(3, '0')}_${index}`;
    writeFileSync(join(folder, name), encodeSlice(series, number, index, pixels));
  });
}

function encodeSlice(series: DicomSeries, seriesNumber: number, index: number, pixels: Uint16Array): Buffer {
  const position = series.positions[index] as [number, number, number];
  const elements: Record<string, DicomElement | null | undefined> = {
    '00080008': ['CS', 'ORIGINAL\\PRIMARY\\M'],
    '00080016': ['UI', MR_IMAGE_STORAGE],
    '00080018': ['UI', `${UID_ROOT}.${seriesNumber}.${index + 1}`],
    '00080020': ['DA', '20200101'],
    '00080060': ['CS', 'MR'],
    '00080070': ['LO', 'phantom'],
    '00100010': ['PN', series.patientName ?? 'Phantom'],
    '00180050': ['DS', String(series.sliceThickness)],
    '00180088': ['DS', String(series.sliceThickness)],
    '0020000d': ['UI', `${UID_ROOT}.100`],
    '0020000e': ['UI', `${UID_ROOT}.100.${seriesNumber}`],
    '00200011': ['IS', String(seriesNumber)],
    '00200013': ['IS', String(index + 1)],
    '00200032': ['DS', position.join('\\')],
    '00200037': ['DS', series.orientation.join('\\')],
    '00200052': ['UI', `${UID_ROOT}.200`],
    '00280002': ['US', uint16(1)],
    '00280004': ['CS', 'MONOCHROME2'],
    '00280010': ['US', uint16(series.rows)],
    '00280011': ['US', uint16(series.columns)],
    '00280030': ['DS', series.pixelSpacing.join('\\')],
    '00280100': ['US', uint16(16)],
    '00280101': ['US', uint16(16)],
    '00280102': ['US', uint16(15)],
    '00280103': ['US', uint16(0)],
    '00281052': ['DS', String(series.rescaleIntercept ?? 0)],
    '00281053': ['DS', String(series.rescaleSlope ?? 1)],
    '7fe00010': ['OW', Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength)],
    ...series.set?.(index),
  };
  const parts = Object.entries(elements).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const data = Buffer.concat(parts.map(([tag, value]) => (value ? encode(tag, value) : Buffer.alloc(0))));
  const text = (tag: string): string | Buffer => elements[tag]?.[1] ?? '';
  const meta = Buffer.concat([
    element(0x0002, 0x0001, 'OB', Buffer.from([0, 1])),
    element(0x0002, 0x0002, 'UI', text('00080016')),
    element(0x0002, 0x0003, 'UI', text('00080018')),
    element(0x0002, 0x0010, 'UI', EXPLICIT_LITTLE_ENDIAN),
    element(0x0002, 0x0012, 'UI', UID_ROOT),
  ]);
  const groupLength = Buffer.alloc(4);
  groupLength.writeUInt32LE(meta.length);
  return Buffer.concat([
    Buffer.alloc(128),
    Buffer.from('DICM'),
    element(0x0002, 0x0000, 'UL', groupLength),
    meta,
    data,
  ]);
}

/** Makes a sequence (SQ) of one item for each of `items`. */
export function sequence(...items: Record<string, DicomElement>[]): DicomElement {
  const encoded = items.map((item) => {
    const value = Buffer.concat(Object.entries(item).map(([tag, element]) => encode(tag, element)));
    const head = Buffer.from([0xfe, 0xff, 0x00, 0xe0, 0, 0, 0, 0]);
    head.writeUInt32LE(value.length, 4);
    return Buffer.concat([head, value]);
  });
  return ['SQ', Buffer.concat(encoded)];
}

/** Makes a value of VR FD. */
export function double(value: number): DicomElement {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return ['FD', bytes];
}

function encode(tag: string, [vr, value]: DicomElement): Buffer {
  return element(Number.parseInt(tag.slice(0, 4), 16), Number.parseInt(tag.slice(4), 16), vr, value);
}

function element(group: number, number: number, vr: string, value: string | Buffer): Buffer {
  const raw = typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
  // Values have even length: UIDs are padded with NUL, other texts with a space.
  const padding = Buffer.alloc(raw.length % 2, vr === 'UI' || vr === 'OB' ? 0 : 0x20);
  const length = raw.length + padding.length;
  const head = Buffer.alloc(LONG_LENGTH.has(vr) ? 12 : 8);
  head.writeUInt16LE(group, 0);
  head.writeUInt16LE(number, 2);
  head.write(vr, 4, 'latin1');
  if (LONG_LENGTH.has(vr)) head.writeUInt32LE(length, 8);
  else head.writeUInt16LE(length, 6);
  return Buffer.concat([head, raw, padding]);
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}
