/**
 * The phrases that change what is said of the words near them, after NegEx and ConText [NEGEX]. docs/metrics.md has the
 * rules.
 */
import { Phrasebook, phrase } from './phrases';

/**
 * The meanings of marks. `absent`: said not to be there. `normal`: a place with nothing wrong. `compared`: a place that
 * something is measured against. `past`: there once. `asked`: asked for, feared or planned.
 */
export type Mark = 'absent' | 'normal' | 'compared' | 'past' | 'asked';

/**
 * How far a mark goes. `clause`: to the clause's end or a terminator. `phrase`: within a noun phrase and its
 * attributes, so no farther than the verb. `noun`: the noun phrase itself. `part`: to the next comma. `sentence`: to
 * the end of the sentence.
 */
export type Reach = 'clause' | 'phrase' | 'noun' | 'part' | 'sentence';

export interface Trigger {
  before?: [mark: Mark, reach: Reach];
  after?: [mark: Mark, reach: Reach];
  /** The trigger denies only a noun that is itself a denial. */
  isDoubt?: true;
  /** The trigger reaches as far as the denial before it. */
  isContinued?: true;
  /** The trigger is a noun. Denying it ("the absence of edema is not certain") makes a double denial. */
  isNoun?: true;
}

const SETS = {
  NO: 'no not never without w/o',
  ANY: 'any obvious clear definite definitely convincing significant apparent evident visible sure certain further additional new other gross overt focal',
  SEEN: 'seen identified noted observed visible visuali~ evident apparent obvious significant present detect~ found appreciat~ demonstra~ there recogni~ discern~ percept~ perceiv~ shown depicted delineated encountered noticeable noticed conspicuous suspected discovered existent existing remarkable confirmed proven established',
  ADVERB:
    'yet still so far been be being clearly definitely really significantly obviously readily reliably unequivocally currently presently fully completely entirely any longer to as at all with certainty properly sufficiently totally even quite very particularly clinically longer',
  SIGN: 'evidence sign signs indication indications suggestion hint hints trace traces manifestation manifestations appearance presence',
  CHANGE:
    'change changes increase decrease progression improvement growth regression difference alteration worsening reduction doubt',
  SHOW: 'presents present possesses possess features depicts shows show showed has have had demonstrates demonstrate reveals reveal exhibits exhibit displays display contains contain',
  STUDY:
    'study studies examination examinations exam exams mri mr scan scans imaging ct investigation date control comparison report images image',
  BE: 'is are was were be been being remains remain appears appear looks look seems seem',
  GONE: 'disappeared resolved vanished subsided gone cleared regressed',
  OPERATION:
    'resection excision removal extirpation craniotomy craniectomy lobectomy evacuation debulking surgery operation',
  NORMAL:
    'normal unremarkable intact preserved uninvolved unaffected spared regular inconspicuous symmetric symmetrical healthy age-appropriate',
};

const ABSENT_PHRASE: Trigger = { after: ['absent', 'phrase'] };
/** In "Edema is not seen in the left lobe" nothing is in the lobe, either. */
const WAS_ABSENT: Trigger = { before: ['absent', 'clause'], after: ['absent', 'noun'] };
const NONE: Trigger = {};
const NORMAL_NOUN: Trigger = { after: ['normal', 'noun'] };
const IS_NORMAL: Trigger = { before: ['normal', 'clause'] };
const COMPARED: Trigger = { after: ['compared', 'noun'] };
const PAST: Trigger = { after: ['past', 'phrase'] };
const ASKED: Trigger = { after: ['asked', 'clause'] };
const ALL_ASKED: Trigger = { after: ['asked', 'sentence'] };

const NOTATIONS: [trigger: Trigger, notations: string[]][] = [
  // Phrases that look like a negation and are none.
  [
    NONE,
    [
      'no|without|not $ANY* interval? $CHANGE',
      '$SHOW no $ANY* interval? $CHANGE',
      '$BE without $ANY* interval? $CHANGE',
      'no|without $ANY* other|new findings',
      'no less|more than',
      'not only|limited|confined|restricted|just|merely|exclusively|necessarily|surprisingly|unexpectedly|further|uncommon|unusual|unlikely|changed|unchanged|increased|decreased|progressed|improved|altered|larger|smaller|different',
      'not $ADVERB* changed|increased|decreased|grown|progressed|improved|resolved|disappeared|vanished|subsided|regressed',
      'not $ADVERB* excluded|excludable|absent|free|negative|ruled|resolved|gone|lacking|missing|denied',
      'not $ADVERB* ruled out',
      'not $ADVERB* excluded with certainty',
      'cannot|never $ADVERB* excluded',
      'not $ADVERB* exclude|deny|rule',
      'difficult|hard|impossible to exclude',
      'difficult|hard|impossible to rule out',
      'not without',
      'not previously|formerly|earlier|initially $SEEN',
      'not $ADVERB* $SEEN previously|before|earlier',
      'not $ADVERB* $SEEN on|in|at the? previous|prior|earlier|last|initial|former|old|outside|t1|t2|ct|dwi|diffusion|adc|swi',
      'no longer any? doubt',
      'no doubt|question',
      'not true that there is|are no',
      'not the case that there is|are no',
      'no need|reason|matter|prior|previous',
      'not to be',
      'nothing but',
      'not $ADVERB* $NORMAL',
      'than normal',
    ],
  ],
  [{ isDoubt: true }, ['not $ADVERB* certain|sure|clear|guaranteed|assured', 'uncertain|unclear|doubtful']],
  [{ after: ['absent', 'clause'], isContinued: true }, ['nor']],
  [{ before: ['absent', 'part'], after: ['absent', 'clause'] }, ['none', 'no %', 'no $ANY* $SIGN %']],
  [
    { after: ['absent', 'clause'] },
    [
      'no',
      'no $ANY* $SIGN of|for|that|to?',
      'no longer',
      'not',
      'never',
      'neither',
      'nothing',
      'denies|denied|excludes|exclude|excluding',
      'rules|rule|ruling out',
      'fails|fail|failed|failing to',
      'hardly|scarcely any $SIGN* of?',
      'against',
    ],
  ],
  [{ before: ['normal', 'clause'], after: ['absent', 'clause'] }, ['$SHOW no $ANY* $SIGN* of?', '$SHOW neither']],
  [
    { before: ['normal', 'clause'], after: ['absent', 'phrase'] },
    ['$BE $ADVERB* free|devoid of|from', '$BE $ADVERB* without $ANY* $SIGN* of?'],
  ],
  [
    { before: ['normal', 'clause'], after: ['absent', 'clause'] },
    [
      '$BE $ADVERB* not $ADVERB* =involved|affected|dilated|enlarged|widened|compressed|displaced|abnormal|infiltrated|invaded|narrowed|deformed|shifted|swollen|thickened',
      'does|do|did not $ADVERB* contain|show|have|exhibit|demonstrate|display|reveal|harbor|harbour|present',
    ],
  ],
  [
    ABSENT_PHRASE,
    [
      'without',
      'w/o',
      'without $ANY* $SIGN* of?',
      'with no',
      'with neither',
      'lacks|lacking|devoid of?',
      'lack',
      'free of|from',
      'negative|neg for',
      'in the absence of',
      'instead of',
      'rather than',
      'as opposed to',
    ],
  ],
  [
    { after: ['absent', 'phrase'], isNoun: true },
    ['absence of', 'lack of', 'disappearance of', 'resolution of', 'exclusion of'],
  ],
  [
    WAS_ABSENT,
    [
      'not|never $ADVERB* $SEEN',
      'not $ADVERB* to be $SEEN',
      'no longer $ADVERB* $SEEN',
      'nowhere to? be? $SEEN',
      'not $ADVERB* exist|occur',
      'not $ADVERB* appear|develop|show %',
      'not a|the $ANY* feature|finding|component|part',
      'hardly|scarcely $SEEN',
      '$BE $ADVERB* absent|lacking|missing|nil|negative|excluded|unlikely|improbable',
      '$BE $ADVERB* ruled out',
      'ruled out',
      '$BE $ADVERB* minimal|slight|little or absent|none',
      'has|have|had $ADVERB* $GONE',
      '$BE $GONE',
      'has|have|had $ADVERB* been $ADVERB* removed|resected|excised|evacuated',
      '$BE $ADVERB* removed|resected|excised',
      'fails|fail|failed to appear|develop|show',
      'if any',
      '$BE|does|do|has|have not %',
    ],
  ],
  [{ after: ['absent', 'noun'], before: ['absent', 'part'] }, ['resolved|vanished $ADVERB*', 'absent']],
  [
    { before: ['absent', 'part'] },
    ['nil|negative|unlikely|improbable|missing|excluded', 'disappeared|vanished', 'removed|resected|excised in|at'],
  ],
  // Places and sides with nothing wrong.
  [{ before: ['normal', 'part'] }, ['$NORMAL|clear|free %', 'within normal limits|range']],
  [
    NORMAL_NOUN,
    [
      '$NORMAL',
      'normal $NORMAL',
      'normal|usual|regular|unremarkable|appropriate appearance|aspect|signal|configuration|intensity of',
      'sparing|spares|spare of?',
    ],
  ],
  [
    IS_NORMAL,
    [
      '$BE $ADVERB* within|otherwise? $NORMAL',
      '$BE $ADVERB* $NORMAL',
      '$BE $ADVERB* of|in normal|usual|regular|preserved',
      '$BE $ADVERB* within normal|physiological|the? limits|range|norm',
      '$BE $ADVERB* clear|central|open|unchanged',
      '$BE $ADVERB* normally|regularly',
      '$SHOW a|an|the|its|their* normal|usual|regular|preserved|unremarkable',
      'retains|retain|maintains|maintain|keeps|keep a|an|the|its|their* normal|usual|regular|shape|signal',
      'of|with normal|regular|usual signal|size|shape|appearance|volume|configuration|width|intensity|morphology|caliber',
    ],
  ],
  // Places that something is compared with.
  [
    COMPARED,
    [
      'than',
      'compared|comparison|comparable to|with',
      'in comparison to|with',
      'relative to',
      'in contrast to|with',
      'contrasted|contrasting|contrasts|contrast to|with|against',
      'contrasts|contrasting with',
      'with respect|regard to',
      'in relation to',
      'versus|vs .?',
      'unlike',
      'as against',
      'different|distinct|distinguish~|distinguished|differs|differ|differing $ANY* from',
      'differs|differ|differing|different in signal|intensity|appearance|size|shape|volume from',
      'deviates|deviating from',
      'stands|standing|stand|set off? out|off? against|from',
      'contralateral|opposite|healthy',
      'as on|in',
      'similar|identical|equal|symmetric|symmetrical|asymmetric|asymmetrical to',
      'mirroring|mirrors',
      'for comparison ,?',
    ],
  ],
  [
    NONE,
    [
      'less|more|larger|smaller|greater|bigger|fewer than half|usual|expected|one|two|three|once',
      'other than',
      'contrast media|medium|agent|material|administration|injection',
      'than previously|before|expected',
      'compared to|with the? prior|previous|earlier|last|initial|preceding|old|former',
      'in comparison to|with the? prior|previous|earlier|last|initial|preceding',
      'in comparison to|with $STUDY',
      'in contrast to|with the? prior|previous|earlier|last',
      'relative to the? prior|previous|earlier|last|initial|preceding',
      'with respect to the? prior|previous|earlier|last',
      'than on|in|at the? prior|previous|earlier|last|initial|preceding',
      'prior to',
    ],
  ],
  // Things that were there once.
  [
    PAST,
    [
      'status post',
      's/p',
      'history|hx|h/o of?',
      'h/o',
      'state after',
      'post $OPERATION of?',
      'post operative? $OPERATION of?',
      'after|following|since|post gross? total|subtotal|partial|complete|surgical* $OPERATION of?',
      '$OPERATION of|for',
      'removed|resected|excised',
      'formerly|former',
    ],
  ],
  [{ after: ['past', 'noun'] }, ['prior', 'previous']],
  [
    { after: ['past', 'sentence'] },
    ['prior|previous|earlier|last|initial|outside $STUDY showed|shows|demonstrated|revealed|described|reported|had'],
  ],
  [
    NONE,
    [
      'status post|s/p radiation|radiotherapy|chemotherapy|biopsy|irradiation|treatment|therapy|gamma',
      's/p radiation|radiotherapy|chemotherapy|biopsy',
      'prior|previous|earlier|last $STUDY',
      'no prior|previous',
      'previously|formerly $SEEN',
      'previously|formerly described|known|reported|mentioned|treated|documented',
      '$OPERATION cavity|margin|margins|site|bed|defect',
    ],
  ],
  // Things that are asked for, or may come.
  [
    ASKED,
    [
      'to exclude|confirm|assess|evaluate|investigate',
      'to rule out',
      'r/o',
      'to look|search|screen|check|evaluate|assess for',
      'evaluate|assess|evaluation|assessment|screening|search|look|looking for',
      'in case of',
      'in the event of',
      'for exclusion|evaluation|assessment|confirmation|suspected of?',
      'whether',
      'would show|help|allow|be',
      'recommend~|advis~|suggested',
      'risk of',
    ],
  ],
  [
    NONE,
    [
      'as if',
      'if any',
      'even if',
      'should be',
      'would be consistent|compatible with',
      'could|may|might be',
      'could|would suggest|indicate|represent',
    ],
  ],
  [ALL_ASKED, ['if', 'unless']],
  [
    { before: ['asked', 'clause'], after: ['asked', 'clause'] },
    ['would $ADVERB* be? expected|seen|visible|enhance|appear|need|require'],
  ],
];

export const TRIGGERS = new Phrasebook<Trigger>(
  NOTATIONS.flatMap(([trigger, notations]) => notations.map((notation) => phrase(notation, trigger, SETS))),
);

/** Titles of sentences that give no findings: "Indication: rule out tumour". */
const TITLES =
  /^(?:(?:clinical|relevant|past|medical|present|patient) )*(?:indications?|history|question|questions|request|information|details|background|anamnesis|technique|reason(?: for (?:exam|examination|study))?|protocol)$/;

export function isTitle(words: readonly string[]): boolean {
  return words.length <= 5 && TITLES.test(words.join(' '));
}
