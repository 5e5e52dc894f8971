/**
 * Translates the output of dcm2niix into our own words. Its messages quote headers and file names, so none is passed
 * on. Messages about things that are read here from the slices themselves, or that do not concern an image, are left
 * out.
 */

/** Messages after which the volume cannot be trusted. */
const FAULTS: readonly [RegExp, string][] = [
  [
    /^Unable to determine (?:slice direction|spatial orientation)/,
    'dcm2niix could not determine how the slices follow each other or lie',
  ],
  [
    /^(?:Bogus spatial matrix|Impossible GE slice orientation|All images appear to be a single slice)/,
    'dcm2niix finds no sensible orientation in the slices',
  ],
  [/^Slices skipped/, 'dcm2niix left out slices'],
  [/^Interslice distance varies/, 'the distance between its slices varies'],
  [/^(?:Unable to decode|Decoding error|Unable to load 0XC3)/, 'dcm2niix could not decompress its slices'],
];

const WARNINGS: readonly [RegExp, string][] = [
  [/^interpolated protocol/, 'interpolated: the scanner interpolated the slices in plane'],
  [
    /^(?:Intensity slope\/intercept varies|Saving as 32-bit float)/,
    'scaling: the slices are scaled differently, and were brought to one scale',
  ],
  [/^Slices stacked despite varying acquisition/, 'acquisitions: the slices have several acquisition numbers'],
  [
    /^(?:Slices stacked despite Study|Volumes stacked despite|Acquisition crossed midnight)/,
    'acquisitions: the slices have several dates, times or series numbers',
  ],
  [
    /^(?:Distance between slices reported|Unable to determine slice thickness)/,
    'sliceThickness: thickness and gap do not add up to the distance between slices, which was taken from their positions',
  ],
  [
    /^(?:PrivateCreator remapping|Matlab DICOMANON|GE DWI vectors may have been removed)/,
    'anonymised: a tool that anonymised the slices may have changed more than names',
  ],
  [/^Gantry Tilt/i, 'tilt: the slices say that the gantry was tilted'],
];

const OF_NO_CONCERN = [
  /^Instance number \(0020,0013\) not found/,
  /^Instance Number \(0020,0013\) order is not spatial/,
  /^Images not sorted in ascending instance number/,
  /^Missing images/,
  /^Expected \d+ slices, but found/,
  /^Patient Position \(0018,5100\) not specified/,
  /^Unable to determine manufacturer/,
  /^UINT16->INT16/,
  /^Empty protocol name/,
  /^Unable to append protocol name/,
  /^Missing transfer syntax/,
  /^Missing GE protocol data block/,
  /^New XML-based GE Protocol Block/,
  /^Siemens XA exported as classic/,
  /slice tim(?:e|ing)/i,
];

export interface ConverterSays {
  /** The reason why its volume must not be used; null if nothing says so. */
  fault: string | null;
  /** The warnings, each once. */
  warnings: string[];
}

/** @param lines that dcm2niix printed */
export function translate(lines: readonly string[]): ConverterSays {
  const messages = lines.flatMap((line) => /^\s*(?:warning|error):?\s*(.*)$/i.exec(line)?.[1] ?? []);
  const warnings = new Set<string>();
  let fault: string | null = null;
  let others = 0;
  for (const message of messages) {
    const said = (known: readonly [RegExp, string][]): string | undefined =>
      known.find(([pattern]) => pattern.test(message))?.[1];
    const warning = said(WARNINGS);
    fault ??= said(FAULTS) ?? null;
    if (warning !== undefined) warnings.add(warning);
    else if (said(FAULTS) === undefined && !OF_NO_CONCERN.some((pattern) => pattern.test(message))) others++;
  }
  if (others > 0)
    warnings.add(
      `converter: ${others} other ${others === 1 ? 'message' : 'messages'} of dcm2niix, not shown because it quotes headers; ` +
        'dcm2niix itself shows them',
    );
  return { fault, warnings: [...warnings] };
}
