/**
 * Writes a report of findings in the manner of TextBraTS: lesion, edema, necrosis, ventricular compression, with a
 * sentence each. The wording is this project's own. A report repeats no sequence of three words where that can be
 * avoided, because decoding forbids repeated trigrams.
 */
import type { Draws } from './draws';
import type { Degree, Findings } from './findings';
import { placesOf, regionsOf } from './places';

const TRIES = 60;

export function writeReport(findings: Findings, draws: Draws): string {
  let best = { text: '', repeated: Number.POSITIVE_INFINITY };
  for (let i = 0; i < TRIES && best.repeated > 0; i++) {
    const text = PARTS.map((part) => capitalised(draws.pick(part(findings, draws)))).join(' ');
    const repeated = repeatedTrigrams(text);
    if (repeated < best.repeated) best = { text, repeated };
  }
  return best.text;
}

/** Returns how many sequences of three words (or marks) occur again. */
export function repeatedTrigrams(text: string): number {
  const words = text.toLowerCase().match(/[\w-]+|[^\w\s]/g) ?? [];
  const trigrams = words.slice(2).map((word, i) => `${words[i]} ${words[i + 1]} ${word}`);
  return trigrams.length - new Set(trigrams).size;
}

function capitalised(sentence: string): string {
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

type Part = (findings: Findings, draws: Draws) => string[];

function lesion(findings: Findings, draws: Draws): string[] {
  const place = draws.pick(placesOf(findings));
  const signal = draws.pick(
    findings.necrosis === null
      ? [
          'predominantly high signal',
          'a high signal pattern',
          'high signal intensity of slightly varying levels',
          'uneven high signal and blurred margins',
        ]
      : [
          'mixed high and low signals',
          'mixed signal intensities of varying levels',
          'a mixed pattern of high and low signals and speckled high-signal areas',
          'heterogeneous signal that is high at the margin and lower inside',
        ],
  );
  if (findings.multifocal)
    return [
      `several lesion areas are seen in ${place}, with ${signal}.`,
      `the lesions are multifocal and located in ${place}, showing ${signal}.`,
      `multiple lesion areas are present in ${place}, presenting ${signal}.`,
    ];
  return [
    `the lesion area is in ${place}, with ${signal}.`,
    `the lesion area is located in ${place}, presenting ${signal}.`,
    `the lesion is situated in ${place}, showing ${signal}.`,
    `in ${place}, a lesion area with ${signal} is observed.`,
    `a lesion with ${signal} is found in ${place}.`,
  ];
}

const SWELLING: Record<Degree, readonly string[]> = {
  mild: ['slight', 'mild'],
  moderate: ['moderate'],
  marked: ['significant', 'extensive', 'marked'],
};

function edema(findings: Findings, draws: Draws): string[] {
  const extent = draws.pick(SWELLING[findings.edema]);
  const lesions = findings.multifocal ? 'lesions' : 'lesion';
  const others = findings.edemaLobes.length > 0 ? `the adjacent ${regionsOf(findings.edemaLobes)}` : null;
  const them = findings.multifocal ? 'them' : 'it';
  const spread = draws.pick(
    others === null
      ? [`staying close to ${them}`, 'without reaching distant regions', 'with little spread']
      : [`extending into ${others}`, `partially spreading to ${others}`, `reaching ${others}`],
  );
  return [
    `edema is mainly observed around the ${lesions}, ${spread}, indicating ${extent} tissue swelling.`,
    `${extent} edema surrounds the ${lesions}, ${spread} and appearing bright on FLAIR.`,
    `edema is primarily concentrated at the periphery, ${spread}, suggesting ${extent} swelling of nearby tissue.`,
    `there is ${extent} edema in the white matter around the ${lesions}, ${spread}.`,
  ];
}

function necrosis(findings: Findings): string[] {
  const inside = findings.multifocal ? 'the lesions' : 'the lesion';
  switch (findings.necrosis) {
    case null:
      return [
        'no definite necrosis is seen.',
        'necrosis is not evident.',
        `there are no clear signs of necrosis within ${inside}.`,
        `${inside} contain${findings.multifocal ? '' : 's'} no visible necrosis.`,
      ];
    case 'mild':
      return [
        `necrosis may be present in small parts of ${inside}, appearing as spotty low signal.`,
        `small areas of necrosis are suspected inside ${inside}, where the signal is lower.`,
        'slight necrosis is visible as scattered foci of low intensity.',
      ];
    case 'moderate':
      return [
        `necrosis is observed within ${inside}, presenting as low signal areas interspersed with brighter regions.`,
        'necrosis is seen in the center as alternating high- and low-signal regions.',
        `parts of ${inside} show necrosis with low intensity and a mottled appearance.`,
      ];
    case 'marked':
      return [
        `extensive necrosis occupies the core of ${inside}, appearing as a large low-signal region.`,
        `necrosis is extensive, with a broad central cavity of low signal inside ${inside}.`,
        `a large necrosis with low intensity fills the center of ${inside}.`,
      ];
  }
}

const PRESSURE: Record<Degree, readonly string[]> = {
  mild: ['mild', 'slight'],
  moderate: ['moderate'],
  marked: ['marked', 'severe'],
};
const DEGREES: readonly (Degree | null)[] = [null, 'mild', 'moderate', 'marked'];

function compression(findings: Findings, draws: Draws): string[] {
  const { left, right } = findings.compression;
  if (left === null && right === null) return uncompressed(findings);
  const shift = draws.pick(
    findings.midlineShift === null
      ? ['', ', without midline shift', ', and the midline is central']
      : [
          `, with a midline shift to the ${findings.midlineShift}`,
          `, and the midline is displaced to the ${findings.midlineShift}`,
        ],
  );
  const worse = DEGREES.indexOf(left) >= DEGREES.indexOf(right) ? left : right;
  const extent = draws.pick(PRESSURE[worse as Degree]);
  if (left !== null && right !== null) {
    const more = left === right ? '' : `, more on the ${worse === left ? 'left' : 'right'}`;
    return [
      `ventricular compression is ${extent} in both lateral ventricles${more}${shift}.`,
      `both lateral ventricles show ${extent} compression${more}${shift}.`,
      `there is ${extent} ventricular compression on both sides${more}${shift}.`,
    ];
  }
  const side = left === null ? 'right' : 'left';
  return [
    `ventricular compression is seen in the ${side} lateral ventricle with ${extent} deformation${shift}.`,
    `the ${side} lateral ventricle shows ${extent} compression due to pressure${shift}.`,
    `there is ${extent} ventricular compression of the ${side} lateral ventricle${shift}.`,
    `ventricular compression is ${extent}, deforming the ${side} lateral ventricle${shift}.`,
  ];
}

function uncompressed({ midlineShift }: Findings): string[] {
  if (midlineShift !== null)
    return [
      `ventricular compression is not evident, but the midline is displaced to the ${midlineShift}.`,
      `there is no obvious ventricular compression, but a midline shift to the ${midlineShift}.`,
    ];
  return [
    'ventricular compression is not evident, and the midline is central.',
    'there is no obvious ventricular compression or midline shift.',
    'ventricular compression is absent, and the ventricles keep their normal shape.',
  ];
}

const PARTS: readonly Part[] = [lesion, edema, necrosis, compression];
