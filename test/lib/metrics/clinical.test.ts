/** The two clinical extractions, case by case; docs/metrics.md shows the same. */
import { extractPeer } from '../../../lib/metrics/clinical-peer';
import { extractStrict } from '../../../lib/metrics/clinical-strict';
import { CATEGORY_NAMES, type Extraction, setF1 } from '../../../lib/reading/findings';

const R = 'The lesion area is in the left frontal lobe with edema. Mild ventricular compression is seen.';
const H =
  'The lesion is located in the left frontal and parietal lobes with significant edema. Ventricular compression is mild.';

const scores = (extract: (text: string) => Extraction, reference: string, hypothesis: string) =>
  CATEGORY_NAMES.map((name) => setF1(extract(reference)[name], extract(hypothesis)[name]));

describe('peer', () => {
  it('scores the worked pair', () => {
    const [laterality, anatomy, pathology] = scores(extractPeer, R, H) as [number, number, number];
    expect(laterality).toBe(1);
    expect(anatomy).toBeCloseTo(0.6666666667, 9);
    expect(pathology).toBe(1);
  });

  // Laterality, anatomy, pathology; the rule's known weaknesses.
  it.each<[string, string, [number, number, number]]>([
    ['No abnormality.', 'Normal brain.', [1, 1, 1]],
    ['No abnormality.', 'There is a mass.', [1, 1, 0]],
    ['left-sided lesion', 'left lesion', [0, 1, 1]],
    ['lesions in both ventricles', 'lesion in ventricle', [1, 0, 0]],
    ['bilateral: left and right', 'left', [2 / 3, 1, 1]],
    ['Edema/necrosis present', 'edema and necrosis', [1, 1, 0]],
    ['No mass effect.', 'mass', [1, 1, 1]],
    ['edema', '', [1, 1, 0]],
    ['left\nlesion', 'lesion', [1, 1, 0]],
    ['', '', [1, 1, 1]],
  ])('%s / %s', (reference, hypothesis, expected) => {
    scores(extractPeer, reference, hypothesis).forEach((score, i) => {
      expect(score).toBeCloseTo(expected[i] as number, 12);
    });
  });
});

describe('strict', () => {
  const said = (text: string) => {
    const { laterality, anatomy, pathology } = extractStrict(text);
    return [laterality, anatomy, pathology].map((set) => [...set].join(' ')).join(' | ');
  };

  it.each<[text: string, laterality: string, anatomy: string, pathology: string]>([
    [R, 'left', 'frontal ventricle', 'edema compression lesion'],
    ['', '', '', ''],
    ['No abnormality.', '', '', ''],
    // Negation, near and over lists.
    ['There is no mass.', '', '', ''],
    ['No evidence of edema, necrosis or mass effect.', '', '', ''],
    ['Without signs of a mass or of edema.', '', '', ''],
    ['Edema, necrosis and enhancement are not seen.', '', '', ''],
    ['Necrosis is absent; edema is not observed.', '', '', ''],
    ['Ventricular compression is not obvious.', '', '', ''],
    ['Edema: none.', '', '', ''],
    ['Hemorrhage and tumor were ruled out.', '', '', ''],
    ['Necrosis cannot be identified.', '', '', ''],
    // A negation does not reach these.
    ['No edema but necrosis is seen.', '', '', 'necrosis'],
    ['No edema, necrosis is seen.', '', '', 'necrosis'],
    ['No enhancement of the lesion.', '', '', 'lesion'],
    ['No abnormality other than a lesion in the right parietal lobe.', 'right', 'parietal', 'lesion'],
    ['No significant change in the edema.', '', '', 'edema'],
    ['The lesion in the left temporal lobe shows no necrosis.', 'left', 'temporal', 'lesion'],
    ['The lesion is not enhancing.', '', '', 'lesion'],
    ['A non-enhancing lesion.', '', '', 'lesion'],
    ['The edema is not only frontal.', '', 'frontal', 'edema'],
    // Plurals, adjectives, spellings, hyphens, slashes, line breaks, quotes.
    ['Lesions and masses in both ventricles', 'left right', 'ventricle', 'mass lesion'],
    ['left-sided lesion', 'left', '', 'lesion'],
    ['Edema/necrosis present', '', '', 'edema necrosis'],
    ['Oedematous and necrotic tumours', '', '', 'edema necrosis tumor'],
    ['enhancing\n"mass"\tcompressing the cerebellar cortex', '', 'cerebellum', 'enhancement compression mass'],
    ['Frontoparietal glioma', '', 'frontal parietal', 'tumor'],
    ['parieto-occipital lesion', '', 'parietal occipital', 'lesion'],
    ['periventricular edema', '', 'periventricular', 'edema'],
    ['contrast-enhanced images show a lesion', '', '', 'lesion'],
    ['No mass effect.', '', '', ''],
    ['Mass effect is seen.', '', '', 'compression'],
    // Sides: of the lesion; both hemispheres are left and right.
    ['The lesion involves both hemispheres.', 'left right', '', 'lesion'],
    ['A lesion of the left cerebral hemisphere.', 'left', '', 'lesion'],
    ['bilateral: left and right', 'left right', '', ''],
    ['A right frontal mass. The left ventricle is compressed.', 'right', 'frontal ventricle', 'compression mass'],
    ['A right-handed patient with a lesion.', '', '', 'lesion'],
    // Places that are spared, normal, compared with, or parts of something else.
    ['No lesion in the left frontal, parietal or temporal lobes.', '', '', ''],
    ['The frontal lobes are normal.', '', '', ''],
    ['The ventricles, sulci and brain parenchyma are unremarkable.', '', '', ''],
    ['Swelling of the left temporal lobe compared with the right temporal lobe.', 'left', 'temporal', 'edema'],
    ['The frontal horn of the left lateral ventricle is compressed.', '', 'ventricle', 'compression'],
    ['The lesion spares the occipital lobe.', '', '', 'lesion'],
    // Scopes that end before what is asserted.
    [
      'A non-enhancing lesion without mass effect is located in the right parietal lobe.',
      'right',
      'parietal',
      'lesion',
    ],
    ['No enhancement was noted and the lesion was located in the right parietal lobe.', 'right', 'parietal', 'lesion'],
    ['In the left lobe there is no mass.', '', '', ''],
    ['The lesion is in the left lobe; edema is not.', 'left', '', 'lesion'],
    ["There isn't a lesion, and edema can't be seen.", '', '', ''],
    ['No evidence of\nedema.', '', '', ''],
    ['No mass\nEdema of the left frontal lobe', 'left', 'frontal', 'edema'],
    // Ventricles, shifts, comparisons and normal sides give no side of a lesion.
    ['The left ventricle appears slightly expanded.', '', 'ventricle', ''],
    ['The right hemisphere is swollen, significantly contrasted to the left side.', 'right', '', 'edema'],
    ['A lesion is in the left temporal lobe. The right hemisphere shows normal signal.', 'left', 'temporal', 'lesion'],
    ['The left hemisphere shows normal signal.', '', '', ''],
    ['Right frontal mass with leftward bowing of the septum.', 'right', 'frontal', 'mass'],
    // Said not to be there, in other words; and what only looks so.
    ['Edema is still not observed.', '', '', ''],
    ['The lesion has no obvious signs of necrosis.', '', '', 'lesion'],
    ['Necrosis is unlikely.', '', '', ''],
    ['Surrounding edema is minimal or absent.', '', '', ''],
    ['Ventricular compression is clear.', '', 'ventricle', 'compression'],
    ['A tumor in the left frontal lobe cannot be excluded.', 'left', 'frontal', 'tumor'],
    ['The absence of edema is not certain.', '', '', 'edema'],
    ['Status post resection of a right frontal tumor.', '', '', ''],
    ['Gliosis rather than tumor in the right frontal lobe.', 'right', 'frontal', ''],
    ['If enhancement develops, biopsy should be considered.', '', '', ''],
    ['White matter lesions, R > L.', 'left right', '', 'lesion'],
  ])('%s', (text, laterality, anatomy, pathology) => {
    expect(said(text)).toBe([laterality, anatomy, pathology].join(' | '));
  });
});
