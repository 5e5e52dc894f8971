/**
 * Checks that a shared library is complete. The dynamic linker maps a truncated one without complaint, and the process
 * dies of SIGBUS where the missing part is touched. An interrupted download must be an error instead.
 */
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const HEADER = 64;
const PROGRAM_HEADER = 56;

/**
 * Describes what is missing from a truncated library. Returns null if nothing is missing, or if it is no 64-bit
 * little-endian ELF file, which the linker reports itself. @throws {Error} the operating system's, if it cannot be read
 */
export function truncation(path: string): string | null {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const header = readAt(file, 0, HEADER);
    if (header.length < 5 || header.toString('latin1', 0, 4) !== '\x7fELF' || header[4] !== 2) return null;
    const needed = header.length < HEADER ? HEADER : lastByte(file, header);
    return needed > size ? `expected at least ${needed} bytes, got ${size}: it is cut off` : null;
  } finally {
    closeSync(file);
  }
}

/** The end of the last segment, or of the table of sections, which linkers write last. */
function lastByte(file: number, header: Buffer): number {
  const [programs, sections] = [Number(header.readBigUInt64LE(0x20)), Number(header.readBigUInt64LE(0x28))];
  const [programCount, sectionSize, sectionCount] = [0x38, 0x3a, 0x3c].map((at) => header.readUInt16LE(at)) as [
    number,
    number,
    number,
  ];
  const ends = [programs + programCount * PROGRAM_HEADER, sections + sectionCount * sectionSize];
  const table = readAt(file, programs, programCount * PROGRAM_HEADER);
  for (let at = 0; at + PROGRAM_HEADER <= table.length; at += PROGRAM_HEADER)
    ends.push(Number(table.readBigUInt64LE(at + 0x08)) + Number(table.readBigUInt64LE(at + 0x20)));
  return Math.max(...ends);
}

function readAt(file: number, position: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(file, bytes, 0, length, position));
}
