/** Reads the files of a folder as one series of DICOM slices: one volume, made in one way. */
import { acquisitionWarnings, modalityName, notFlair } from './acquisition';
import { numberWarnings, type SliceStack, type StackFault, stackSlices } from './geometry';
import { type DicomFile, type DicomSlice, readDicomFile } from './slice';

export interface DicomSeries {
  stack: SliceStack;
  /** The indices of the files that hold slices. */
  files: number[];
  /** The reason why no FLAIR image can be read from it, worded as what was got; null where nothing says so. */
  notFlair: string | null;
  warnings: string[];
}

/** The SOP classes MR, enhanced MR and legacy converted enhanced MR. */
const MR_IMAGES = new Set(['1.2.840.10008.5.1.4.1.1.4', '1.2.840.10008.5.1.4.1.1.4.1', '1.2.840.10008.5.1.4.1.1.4.4']);

/** @param files contents, in the folder's order */
export function readSeries(files: readonly Uint8Array[]): DicomSeries | StackFault {
  const read = files.map(readDicomFile);
  const slices = read.flatMap((file) => (typeof file === 'string' ? [] : file));
  const fault = fileFault(read, slices);
  if (fault !== null) return fault;
  const stack = stackSlices(slices);
  if ('reason' in stack) return stack;
  const kinds = [...new Map(slices.map((slice) => [JSON.stringify(kindOf(slice)), slice])).values()];
  return {
    stack,
    files: [...new Set(slices.map(({ file }) => file))],
    notFlair: kinds.map(refusalOf).find((reason) => reason !== null) ?? null,
    warnings: [
      ...numberWarnings(stack),
      ...leftOut(read),
      ...new Set(kinds.flatMap(({ made }) => acquisitionWarnings(made))),
    ],
  };
}

function fileFault(read: DicomFile[], slices: DicomSlice[]): StackFault | null {
  const count = (kind: DicomFile): number => read.filter((file) => file === kind).length;
  const unsupported = (field: string, reason: string): StackFault => ({ code: 'BRAIN3D_UNSUPPORTED', field, reason });
  const cutOff = count('cut off');
  if (cutOff > 0)
    return {
      code: 'BRAIN3D_FORMAT',
      field: 'PixelData',
      reason: `${cutOff} of its ${read.length} files have fewer voxels than they say; copy the series again`,
    };
  if (count('colour') > 0)
    return unsupported('SamplesPerPixel', 'holds colour images, expected slices of one value a voxel');
  if (count('frames without positions') > 0)
    return unsupported(
      'NumberOfFrames',
      'holds images of several frames that do not say where each lies, expected slices',
    );
  if (slices.some(({ made }) => made.imageType.includes('MOSAIC')))
    return unsupported(
      'ImageType',
      'holds mosaics, in which slices lie beside each other, expected one slice an image',
    );
  if (slices.length > 0) return null;
  const dicom = count('not an image');
  const reason =
    dicom === 0
      ? `none of its ${read.length} files is a DICOM file`
      : `none of its ${dicom} DICOM files holds an image`;
  return { code: 'BRAIN3D_FORMAT', field: 'PixelData', reason };
}

function leftOut(read: DicomFile[]): string[] {
  const foreign = read.filter((file) => file === 'foreign' || file === 'not an image').length;
  if (foreign === 0) return [];
  return [`otherFiles: ${foreign} of the folder's ${read.length} files hold no DICOM image and were left out`];
}

function kindOf({ modality, sopClass, made }: DicomSlice) {
  return { modality, sopClass, made };
}

function refusalOf({ modality, sopClass, made }: DicomSlice): string | null {
  if (modality === null) return 'slices that do not say their modality';
  if (modality !== 'MR') return `slices whose modality is ${modalityName(modality)}`;
  if (sopClass === null) return 'slices that do not say what class of image they are';
  if (!MR_IMAGES.has(sopClass)) return 'slices of the modality MR that are no MR images by their SOP class';
  return notFlair(made);
}
