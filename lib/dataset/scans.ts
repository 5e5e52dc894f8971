/** The contents of a dataset's folders: scans that can be used, and problems, each with its subject. */
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { Brain3DError, type ErrorCode } from '../base/errors';
import { byText } from '../base/sort';
import type { ManifestEntry } from './manifest';

export interface FoundScan extends Pick<ManifestEntry, 'id' | 'subject' | 'session' | 'source' | 'class' | 'modality'> {
  image: string;
  segmentation?: string;
  /** The text file of the report; null where the report is made from the subject. */
  reportFile: string | null;
}

/** The reason why a subject or a scan cannot be used. */
export interface DatasetProblem extends Pick<FoundScan, 'id' | 'subject' | 'session' | 'source' | 'class'> {
  code: ErrorCode;
  message: string;
}

/** The error codes that are about the scan. Others (no addon, no memory, aborted) are about the run. */
const SCAN_FAULTS: readonly ErrorCode[] = [
  'BRAIN3D_NOT_FOUND',
  'BRAIN3D_IO',
  'BRAIN3D_FORMAT',
  'BRAIN3D_UNSUPPORTED',
  'BRAIN3D_ORIENTATION',
  'BRAIN3D_VOLUME',
];

/** Whether an error is the scan's own, so that another scan may succeed. */
export function isScanFault(error: unknown): error is Brain3DError {
  return Brain3DError.isInstance(error) && SCAN_FAULTS.includes(error.code);
}

export interface Found {
  scans: FoundScan[];
  problems: DatasetProblem[];
}

export interface FolderEntry {
  name: string;
  isFolder: boolean;
  isFile: boolean;
  /**
   * The reason, for a message, why the entry is neither: a link that leads nowhere, a socket, no permission; null for a
   * folder or file.
   */
  fault: string | null;
}

/** Lists a folder's entries by name. Links count as their targets; hidden entries and `__MACOSX` are left out. */
export async function listFolder(dir: string): Promise<FolderEntry[]> {
  const name = basename(resolve(dir));
  const names = await readdir(dir).catch((cause: NodeJS.ErrnoException) => {
    const code = cause.code === 'ENOENT' ? 'BRAIN3D_NOT_FOUND' : 'BRAIN3D_IO';
    throw new Brain3DError(code, `expected a folder, but '${name}' cannot be read (${cause.code})`, {
      file: name,
      cause,
    });
  });
  const entries = names.filter((entry) => !/^(\.|__MACOSX$)/.test(entry)).map((entry) => describe(dir, entry));
  return (await Promise.all(entries)).sort((a, b) => byText(a.name, b.name));
}

/** Describes an entry. One that cannot be looked at is an entry too: the code that needs it reports the fault. */
async function describe(dir: string, name: string): Promise<FolderEntry> {
  try {
    const found = await stat(join(dir, name));
    const [isFolder, isFile] = [found.isDirectory(), found.isFile()];
    return { name, isFolder, isFile, fault: isFolder || isFile ? null : 'neither a file nor a folder' };
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const fault = code === 'ENOENT' ? NOWHERE : `not to be looked at (${code})`;
    return { name, isFolder: false, isFile: false, fault };
  }
}

const NOWHERE =
  'a link that leads nowhere; fetch what it stands for (`git annex get` or `datalad get`, where they made it)';

/** The reason, for a message, why an entry is no file to read; null if it is one. */
export function notAFile({ isFile, isFolder, fault }: FolderEntry): string | null {
  if (isFile) return null;
  return isFolder ? 'a folder' : fault;
}
