/** Reads from a DICOM header or a sidecar how an image was made, and decides whether a FLAIR image can be made so. */

/**
 * Codes and numbers about how an image was made. Descriptions and names of protocols are free text and are not trusted.
 */
export interface Acquisition {
  /** ImageType (0008,0008). */
  imageType: readonly string[];
  /** ScanningSequence (0018,0020): SE, IR, GR, EP, RM. */
  scanningSequence: readonly string[];
  /** SequenceName (0018,0024), of which only Siemens' prefixes are used. */
  sequenceName: string | null;
  /** RepetitionTime in ms; null where it is not given. */
  repetitionTimeMs: number | null;
  echoTimeMs: number | null;
  inversionTimeMs: number | null;
  /** InversionRecovery (0018,9009) of an enhanced image. */
  hasInversion: boolean;
  /** AcquisitionContrast (0008,9209) of an enhanced image. */
  contrast: string | null;
  /** ComplexImageComponent (0008,9208) of an enhanced image. */
  component: string | null;
  /** AngioFlag (0018,0025). */
  isAngiography: boolean;
  /** DiffusionBValue (0018,9087) in s/mm2. */
  bValue: number | null;
}

/** Codes that are safe to show. Any other text in their place may be about a patient. */
const MODALITIES = new Set(
  (
    'AR AU BI BMD CD CR CT DG DOC DX ECG EPS ES FID GM HC HD IO IOL IVOCT IVUS KER KO LEN LS MG MR NM OAM OCT OP OPM OPT ' +
    'OPV OSS OT PLAN PR PT PX REG RESP RF RG RTDOSE RTIMAGE RTPLAN RTRECORD RTSTRUCT RWV SC SEG SM SMR SR SRF STAIN ' +
    'TG US VA XA XC'
  ).split(' '),
);

/**
 * The further values of ImageType for a magnitude or reformatted image, where nothing was computed from intensities.
 */
const PLAIN_TYPES = new Set(
  (
    'M MAGNITUDE M_SE M_IR M_FFE FFE SE IR TSE FSE ND NORM DIS2D DIS3D FM FM3D_2 FIL OTHER NONE UNSPECIFIED MFSPLIT ' +
    'PROPELLER BLADE AXIAL SAGITTAL CORONAL OBLIQUE T2 FLAIR FLUID_ATTENUATED VOLUME MPR CSA RESAMPLED CSAPARALLEL ' +
    'REFORMATTED AVERAGE COMPOSED'
  ).split(' '),
);
/** The values of ImageType for an image that is not a weighted magnitude, whoever made it. */
const OTHER_TYPES =
  /^(?:[PRI]|[PRI]_.*|PHASE.*|REAL|IMAGINARY|LOCALIZER|SCOUT|E?ADC.*|DIFFUSION.*|DWI|TRACEW?.*|FA|TENSOR.*|PERFUSION.*|R?CB[FV].*|MTT|TTP|TMAX|.*MAP|FMRI|T_MAP|SUB.*|MIP|MN?IP.*|M(?:IN|AX)[ _]?IP.*|PROJECTION.*|FLOW.*|VELOCITY.*|WATER|FAT|(?:IN|OUT|OPP)_?PHASE.*|SWI|MOSAIC|SEGMENTATION.*)$/;
const CONTRASTS = new Set(['FLUID_ATTENUATED', 'T2', 'UNKNOWN']);
/**
 * Siemens' names begin with an asterisk: echo planar, FLASH, FISP, turbo FLASH, susceptibility, perfusion, angiography.
 */
const OTHER_SEQUENCES = /^\*(?:ep|fl\d|fi\d|tfl|tfi|swi|qfl|re_|fm|pcasl|pasl)/i;
const INVERSION_SEQUENCES = /^\*?(?:tir|ir|spcir)/i;

// A FLAIR image is T2-weighted and nulls fluid, whose T1 is at least 2.5 s. The inversion time follows from T1 and TR.
const MIN_TR_MS = 3000;
const MIN_TE_MS = 40;
const MIN_TI_MS = 1000;
const MAX_TI_MS = 4000;

/** Returns a modality in a form that may be shown. */
export function modalityName(code: string): string {
  return MODALITIES.has(code) ? code : 'another one';
}

/** Returns why an image that was made so is no FLAIR image, worded as what was got; null where nothing says so. */
export function notFlair(made: Acquisition): string | null {
  const sequences = new Set(made.scanningSequence);
  const [value1, , ...types] = made.imageType;
  const { repetitionTimeMs: tr, echoTimeMs: te, inversionTimeMs: ti, bValue } = made;
  if (made.imageType.some((type) => OTHER_TYPES.test(type)))
    return 'one that is a map, a phase, a projection, a localizer or of diffusion by its image type';
  if (value1 !== undefined && value1 !== 'ORIGINAL' && !types.flatMap(words).every((type) => PLAIN_TYPES.has(type)))
    return 'a derived image, of a kind that is not known';
  if (made.component !== null && made.component !== 'MAGNITUDE') return 'an image that is no magnitude';
  if (made.contrast !== null && !CONTRASTS.has(made.contrast)) return 'an image of another contrast';
  if (bValue !== null && bValue > 0) return 'a diffusion-weighted image';
  if (made.isAngiography) return 'an angiography';
  if (sequences.size > 0) {
    if (!['SE', 'RM', 'IR'].some((code) => sequences.has(code)) || (sequences.has('GR') && !sequences.has('SE')))
      return 'one of a gradient-echo sequence';
    if (sequences.has('EP') && !sequences.has('IR')) return 'one of an echo-planar sequence without an inversion';
  }
  if (made.sequenceName !== null && OTHER_SEQUENCES.test(made.sequenceName)) return 'one of another sequence';
  if (ti !== null && (ti < MIN_TI_MS || ti > MAX_TI_MS))
    return `one whose inversion time is not from ${MIN_TI_MS} to ${MAX_TI_MS} ms, so that fluid is not dark`;
  if (te !== null && te < MIN_TE_MS) return `one whose echo time is below ${MIN_TE_MS} ms, which is not T2-weighted`;
  if (tr !== null && tr < MIN_TR_MS) return `one whose repetition time is below ${MIN_TR_MS} ms`;
  return null;
}

/**
 * Returns warnings for an image that is not refused: its header names the sequence but no inversion, or unknown types.
 */
export function acquisitionWarnings(made: Acquisition): string[] {
  const warnings: string[] = [];
  const isDescribed = made.scanningSequence.length > 0 || made.repetitionTimeMs !== null || made.echoTimeMs !== null;
  const isInverted =
    made.inversionTimeMs !== null ||
    made.hasInversion ||
    made.scanningSequence.includes('IR') ||
    made.contrast === 'FLUID_ATTENUATED' ||
    INVERSION_SEQUENCES.test(made.sequenceName ?? '');
  if (isDescribed && !isInverted)
    warnings.push(
      'noInversion: the slices describe a sequence without an inversion, and without one there is no FLAIR image; it may be ' +
        'a T2-weighted one',
    );
  if (made.imageType[0] !== undefined && made.imageType[0] !== 'ORIGINAL')
    warnings.push('derivedImage: the slices were computed from others, for example reformatted');
  else if (
    !made.imageType
      .slice(2)
      .flatMap(words)
      .every((type) => PLAIN_TYPES.has(type))
  )
    warnings.push('imageType: the slices are of a kind that is not known');
  return warnings;
}

function words(type: string): string[] {
  return type.split(/\s+/);
}
