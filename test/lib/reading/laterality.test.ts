/** The side of a report's lesion. The sentences are ours, in the vocabulary of reports on gliomas. */
import { type About, extractLaterality, peerLaterality, type Side } from '../../../lib/reading/laterality';

type Expected = Side | 'unknown';

const SENTENCES: [side: Expected, report: string][] = [
  // One side, plainly.
  ['left', 'The lesion is located in the left temporal lobe.'],
  ['right', 'The lesion is located in the right frontal and parietal lobes, with mixed signal.'],
  ['right', 'Right frontal mass with surrounding edema.'],
  ['left', 'A left-sided mass involves the insula.'],
  ['right', 'The lesion area is in the frontal, temporal and right parietal lobes.'],
  ['left', 'In the left hemisphere there is an irregular area of high signal, mainly in the basal ganglia.'],
  ['left', 'Abnormal signal is seen in the LEFT cerebellar hemisphere.'],
  ['right', 'The lesion lies around the right lateral ventricle.'],
  ['left', 'High signal is found beside the posterior horn of the left lateral ventricle.'],
  ['left', 'Edema is mainly observed in the left parietal lobe. Necrosis is seen within the lesion.'],
  ['right', 'The edema surrounds the lesion and extends to the right thalamus.'],
  // Both sides, in one word or two.
  ['bilateral', 'The lesions are bilateral.'],
  ['bilateral', 'High signal is distributed bilaterally in the frontal lobes.'],
  ['bilateral', 'The lesion involves both hemispheres.'],
  ['bilateral', 'The lesion involves both cerebral hemispheres.'],
  ['bilateral', 'Abnormal signal is present on both sides.'],
  ['bilateral', 'The mass occupies both frontal lobes.'],
  ['bilateral', 'Lesions are seen in the left and right parietal lobes.'],
  ['bilateral', 'Lesions are seen in the right and left occipital lobes.'],
  ['bilateral', 'The lesion is in the right frontal lobe and extends into the left frontal lobe.'],
  ['bilateral', 'The lesion is in the right frontal lobe. A second lesion is seen in the left temporal lobe.'],
  ['bilateral', 'The right frontal lesion crosses the midline through the corpus callosum to the left.'],
  ['bilateral', 'The mass in the left frontal lobe crosses the midline.'],
  ['bilateral', 'The lesion spans the corpus callosum.'],
  ['bilateral', 'The lesion is not limited to the left frontal lobe but also involves the right frontal lobe.'],
  ['bilateral', 'The lesion lies in the left frontal lobe. The edema extends to the right frontal lobe.'],
  // Ventricles do not give a side.
  ['right', 'The lesion is in the right frontal lobe. The left ventricle is compressed.'],
  ['right', 'The lesion is in the right parietal lobe, and the left lateral ventricle is slightly compressed.'],
  ['left', 'The mass is in the left temporal lobe, with the right lateral ventricle dilated.'],
  ['right', 'The right frontal lesion compresses the left lateral ventricle.'],
  ['right', 'A right temporal lesion is seen. Ventricular compression is noted on the left side.'],
  ['right', 'A right temporal lesion is seen. Both lateral ventricles are compressed.'],
  ['left', 'A left insular lesion is seen. The bilateral lateral ventricles are narrowed.'],
  ['left', 'The lesion is in the left lobe. The ventricle is deformed, more on the right.'],
  ['unknown', 'The left ventricle is compressed.'],
  ['unknown', 'Compression of the anterior horn of the right lateral ventricle is observed.'],
  // Nor does a shift of the midline.
  ['right', 'The lesion is in the right hemisphere. The midline is shifted to the left.'],
  ['left', 'Large left frontal mass with midline shift to the right.'],
  ['left', 'Large left frontal mass, midline structures displaced towards the right.'],
  ['right', 'A right parietal mass causes a leftward shift of the midline.'],
  ['right', 'A right parietal mass is seen. The falx is pushed to the left.'],
  ['right', 'A right parietal mass is seen. The third ventricle is pushed to the left.'],
  // Nor what is not there, or normal, or only compared with.
  ['left', 'The lesion is in the left frontal lobe. No abnormality is seen in the right hemisphere.'],
  ['left', 'The lesion is in the left frontal lobe. The right hemisphere is normal.'],
  ['left', 'The lesion is in the left frontal lobe. The right frontal lobe appears unremarkable.'],
  ['right', 'The lesion is in the right temporal lobe without extension to the left.'],
  ['right', 'The lesion is in the right temporal lobe and does not cross the midline.'],
  [
    'right',
    'No lesion in the left frontal, parietal, or temporal lobes, but the right frontal lobe shows high signal.',
  ],
  ['left', 'Swelling of the left temporal lobe is seen compared with the right.'],
  ['right', 'Sulci are narrower on the right side than on the left, around a lesion of high signal.'],
  ['right', 'The lesion is in the right frontal lobe; the contralateral left hemisphere is spared.'],
  // A denial about a lesion is no denial of its side.
  ['left', 'The lesion in the left temporal lobe shows no necrosis.'],
  ['left', 'The lesion in the left temporal lobe, with no obvious necrosis, is large.'],
  ['left', 'There is no enhancement of the lesion in the left temporal lobe.'],
  ['left', 'No necrosis is seen inside the left temporal mass.'],
  ['right', 'There is no midline shift. The lesion is in the right occipital lobe.'],
  // Words that hold the letters, and no side at all.
  ['left', 'A right-handed patient with a lesion in the left temporal lobe.'],
  ['unknown', 'A bright signal is seen upright in the frontal lobe.'],
  ['unknown', 'The lesion shows two areas of high signal in both the frontal and the parietal lobe.'],
  ['unknown', ''],
  // Written when the rule was done, to see how it fares with sentences it was not made with: 24 of these 26.
  [
    'left',
    'The lesion area is primarily located in the left frontal and temporal lobes, showing a mixture of high and low signals with irregular boundaries.',
  ],
  [
    'right',
    'Edema is mainly observed in the right parietal and occipital lobes and is significant, suggesting tissue response around the lesion.',
  ],
  [
    'right',
    'The lesion is situated in the right temporal lobe with clear boundaries. The right lateral ventricle is compressed and the midline structure is slightly deviated to the left side.',
  ],
  [
    'left',
    'Lesions are concentrated in the left parietal lobe near the ventricle, and the left lateral ventricle shows compression with deformation.',
  ],
  ['bilateral', 'The lesion area is in the bilateral frontal lobes, more pronounced on the right side.'],
  [
    'left',
    'The lesion is on the left. No significant compression of the right ventricle or midline shift is observed.',
  ],
  ['right', 'High signal is visible in the right hemisphere, while the left hemisphere shows no obvious abnormality.'],
  ['right', 'High signal is visible in the right hemisphere, whereas the left hemisphere remains normal.'],
  [
    'left',
    'Ventricular compression is mainly seen in the right ventricle, but the lesion lies in the left frontal region.',
  ],
  ['bilateral', 'The lesion in the genu of the corpus callosum involves both the left and the right hemisphere.'],
  ['bilateral', 'The lesion extends across the midline into the contralateral hemisphere from the left frontal lobe.'],
  [
    'left',
    'The lesion is in the left thalamus, and the third ventricle is displaced to the right with dilation of both lateral ventricles.',
  ],
  [
    'right',
    'Necrosis is seen within the right frontal lesion, appearing as low signal; ventricular compression: left anterior horn narrowed.',
  ],
  ['unknown', 'Ventricular compression appears on the left side with the posterior horn narrowed.'],
  ['right', 'Compared with the left side, the right hemisphere is swollen, with a lesion in the right insula.'],
  ['left', 'There is a lesion in the left cerebellum; bilateral ventricles are symmetrically dilated.'],
  ['bilateral', 'Multiple lesions are scattered in the left temporal and right parietal lobes.'],
  ['left', 'The lesion involves the left temporal lobe, sparing the right.'],
  ['right', 'The lesion is in the right lobe, and the left side is not affected.'],
  ['right', 'Lesion of the right frontal lobe; edema does not extend to the left.'],
  ['bilateral', 'The lesion is centered on the corpus callosum and extends bilaterally into the white matter.'],
  ['left', 'The lesion pushes the midline from the left to the right.'],
  ['left', 'A mass in the left frontal lobe shifts the midline to the right and compresses both ventricles.'],
  [
    'right',
    'Right parietooccipital glioma with mass effect on the right lateral ventricle and subfalcine herniation to the left.',
  ],
  [
    'left',
    'The left side of the brain shows a large lesion. The right lateral ventricle is relatively larger than the left one.',
  ],
  ['right', 'On the right side there is edema and necrosis. The ventricular system on the left side is enlarged.'],
  // The four parts of a whole report.
  [
    'right',
    'The lesion area is in the right frontal and parietal lobes with uneven high and low signals. Edema is mainly ' +
      'observed in the right parietal lobe, partially extending to the surrounding tissue. Necrosis is observed within ' +
      'the lesion as irregular low signal. Ventricular compression is seen in the left lateral ventricle, its shape ' +
      'altered by the mass effect.',
  ],
  [
    'bilateral',
    'The lesion is in the left frontal lobe and the corpus callosum, partly in the right frontal lobe. Edema surrounds ' +
      'it on both sides. Necrosis is within the lesion. The anterior horns of both lateral ventricles are compressed.',
  ],
];

test.each(SENTENCES)('%s: %s', (side, report) => {
  expect(extractLaterality(report)).toMatchObject({ side });
});

test('there are enough of them, and of every kind', () => {
  expect(SENTENCES.length).toBeGreaterThanOrEqual(40);
  for (const wanted of ['left', 'right', 'bilateral', 'unknown'])
    expect(SENTENCES.filter(([side]) => side === wanted).length).toBeGreaterThanOrEqual(5);
});

describe('evidence', () => {
  const about = (report: string) => extractLaterality(report).evidence.map((e): [string, About] => [e.text, e.about]);

  it('says what each side is about', () => {
    expect(
      about('A right frontal mass with edema in the right parietal lobe, and the left ventricle is narrowed.'),
    ).toEqual([
      ['right', 'lesion'],
      ['right', 'edema'],
      ['left', 'ventricle'],
    ]);
    expect(about('No lesion in the left lobe. Midline shifted to the right. Larger than the left.')).toEqual([
      ['left', 'negated'],
      ['right', 'midline'],
      ['left', 'contralateral'],
    ]);
  });

  it('says where it stands', () => {
    const report = 'Necrosis is seen. Mass in the left lobe; both lateral ventricles are narrow, bilateral edema.';
    for (const { start, text } of extractLaterality(report).evidence)
      expect(report.slice(start, start + text.length)).toBe(text);
  });
});

describe('notes', () => {
  const notes = (report: string) => extractLaterality(report).notes;

  it('say what was left out', () => {
    expect(notes('The lesion is in the right frontal lobe. The left ventricle is compressed.')).toEqual([
      "'left' is about a ventricle and does not count",
    ]);
    expect(notes('The left ventricle is compressed.')).toEqual(["'left' is about a ventricle and does not count"]);
  });

  it('say where the edema decided', () => {
    expect(notes('The lesion lies in the left lobe. The edema extends to the right frontal lobe.')).toEqual([
      'the lesion itself is left, bilateral only with its edema',
    ]);
    expect(notes('Edema is seen in the left parietal lobe.')).toEqual(['only the edema has a side']);
  });

  it('say where both sides were put together', () => {
    expect(notes('A mass in the left lobe. A mass in the right lobe.')).toEqual([
      'left and right are named apart, each of the lesion',
    ]);
    expect(notes('The lesion involves both hemispheres.')).toEqual([]);
  });

  it('are none where nothing is odd', () => {
    expect(notes('Lesion in the right lobe. The right ventricle is compressed.')).toEqual([]);
  });
});

test.each<[Expected, string]>([
  ['bilateral', 'The lesion is in the right frontal lobe. The left ventricle is compressed.'],
  ['bilateral', 'Bilaterally distributed.'],
  ['bilateral', 'In both hemispheres.'],
  ['left', 'On the left, a mass.'],
  ['right', 'Right basal ganglia lesion.'],
  ['unknown', 'The right lateral part.'],
])("the authors' rule says %s: %s", (side, report) => {
  expect(peerLaterality(report)).toBe(side);
});
