/** Writes a small, valid MR series: DICOM Part 10, explicit VR little-endian, one file a slice. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const UID_ROOT = '1.2.826.0.1.3680043.8.498';
const EXPLICIT_LITTLE_ENDIAN = '1.2.840.10008.1.2.1';
const MR_IMAGE_STORAGE = '1.2.840.10008.5.1.4.1.1.4';
const LONG_LENGTH = new Set(['OB', 'OW', 'SQ', 'UN', 'UT']);

export interface DicomSeries {
  seriesNumber?: number;
  /** Stored values, one array a slice, row-major (rows, columns). */
  slices: Uint16Array[];
  rows: number;
  columns: number;
  /** Row direction, then column direction, in LPS. */
  orientation: [number, number, number, number, number, number];
  /** LPS position in mm of the first pixel of each slice. */
  positions: [number, number, number][];
  /** Between rows, between columns. */
  pixelSpacing: [number, number];
  sliceThickness: number;
  rescaleSlope?: number;
  rescaleIntercept?: number;
  patientName?: string;
}

/** Makes `folder` and writes the slices in it under names that say nothing. */
export function writeDicomSeries(folder: string, series: DicomSeries): void {
  mkdirSync(folder, { recursive: true });
  const number = series.seriesNumber ?? 1;
  series.slices.forEach((pixels, index) => {
    // Written in an order that is not the patient's, as archives do.
    const name = `IM${number}_${String((index * 7) % 1000).padStart(3, '0')}_${index}`;
    writeFileSync(join(folder, name), encodeSlice(series, number, index, pixels));
  });
}

function encodeSlice(series: DicomSeries, seriesNumber: number, index: number, pixels: Uint16Array): Buffer {
  const sopInstance = `${UID_ROOT}.${seriesNumber}.${index + 1}`;
  const meta = Buffer.concat([
    element(0x0002, 0x0001, 'OB', Buffer.from([0, 1])),
    element(0x0002, 0x0002, 'UI', MR_IMAGE_STORAGE),
    element(0x0002, 0x0003, 'UI', sopInstance),
    element(0x0002, 0x0010, 'UI', EXPLICIT_LITTLE_ENDIAN),
    element(0x0002, 0x0012, 'UI', UID_ROOT),
  ]);
  const position = series.positions[index] as [number, number, number];
  const data = Buffer.concat([
    element(0x0008, 0x0008, 'CS', 'ORIGINAL\\PRIMARY\\M'),
    element(0x0008, 0x0016, 'UI', MR_IMAGE_STORAGE),
    element(0x0008, 0x0018, 'UI', sopInstance),
    element(0x0008, 0x0020, 'DA', '20200101'),
    element(0x0008, 0x0060, 'CS', 'MR'),
    element(0x0008, 0x0070, 'LO', 'phantom'),
    element(0x0010, 0x0010, 'PN', series.patientName ?? 'Phantom'),
    element(0x0018, 0x0050, 'DS', String(series.sliceThickness)),
    element(0x0018, 0x0088, 'DS', String(series.sliceThickness)),
    element(0x0020, 0x000d, 'UI', `${UID_ROOT}.100`),
    element(0x0020, 0x000e, 'UI', `${UID_ROOT}.100.${seriesNumber}`),
    element(0x0020, 0x0011, 'IS', String(seriesNumber)),
    element(0x0020, 0x0013, 'IS', String(index + 1)),
    element(0x0020, 0x0032, 'DS', position.join('\\')),
    element(0x0020, 0x0037, 'DS', series.orientation.join('\\')),
    element(0x0020, 0x0052, 'UI', `${UID_ROOT}.200`),
    element(0x0028, 0x0002, 'US', uint16(1)),
    element(0x0028, 0x0004, 'CS', 'MONOCHROME2'),
    element(0x0028, 0x0010, 'US', uint16(series.rows)),
    element(0x0028, 0x0011, 'US', uint16(series.columns)),
    element(0x0028, 0x0030, 'DS', series.pixelSpacing.join('\\')),
    element(0x0028, 0x0100, 'US', uint16(16)),
    element(0x0028, 0x0101, 'US', uint16(16)),
    element(0x0028, 0x0102, 'US', uint16(15)),
    element(0x0028, 0x0103, 'US', uint16(0)),
    element(0x0028, 0x1052, 'DS', String(series.rescaleIntercept ?? 0)),
    element(0x0028, 0x1053, 'DS', String(series.rescaleSlope ?? 1)),
    element(0x7fe0, 0x0010, 'OW', Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength)),
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
