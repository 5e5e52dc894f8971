/** The classes of words that reading uses. Each is tested on one word, so that a report is read in linear time. */

const setOf = (words: string): ReadonlySet<string> => new Set(words.split(' '));

/** The present tense of the verbs of reports. Participles are left out, because they end no noun phrase. */
const LEXICAL_VERBS =
  'show demonstrate reveal exhibit display present contain involve occupy extend lie appear remain seem enhance compress displace reach affect spare suggest indicate represent harbour harbor arise persist resolve maintain retain surround accompany fail deviate differ favour favor traverse infiltrate invade exert develop grow include produce originate abut encase correspond respect lack keep consist continue protrude exceed mimic resemble terminate become depict distort deform narrow efface cross push bulge lead cause give stand bow shift span measure fill touch cover spread encompass exist occur sit project border contact destroy replace underlie carry look point explain account form comprise constitute predominate coexist overlie obliterate erode encroach impinge straddle obscure merge expand thicken undergo need require stay reside vary hold house replace follow regress decrease increase improve worsen progress recur';
/** Verbs whose plural forms are nouns as well. */
const NOUNS_TOO = setOf(
  'cause measure shift spread bulge bow span cover fill touch look point present border contact project narrow lack increase decrease progress cross lead compress',
);
const thirdPerson = (verb: string) =>
  /[^aeo]y$/.test(verb) ? `${verb.slice(0, -1)}ies` : /(?:s|sh|ch|x)$/.test(verb) ? `${verb}es` : `${verb}s`;
const NO_VERBS = setOf('borders projects increases decreases points contacts');
const FINITE = new Set([
  ...'is are was were am has have had does do did can could may might will would must showed grew became lay'.split(
    ' ',
  ),
  ...LEXICAL_VERBS.split(' ')
    .map(thirdPerson)
    .filter((verb) => !NO_VERBS.has(verb)),
  ...LEXICAL_VERBS.split(' ').filter((verb) => !NOUNS_TOO.has(verb)),
]);
export const isFiniteVerb = (word: string): boolean => FINITE.has(word);
export const BE = setOf('is are was were be been being appears appear remains remain looks look seems seem');

export const AUXILIARIES = setOf('do does did can could may might will would should must');

export const PREPOSITIONS = setOf(
  'in on at of within inside around about near beside between by from to toward towards into onto through throughout along across over under above below behind beneath beyond against after before during with without for upon adjacent via despite',
);
/** Words that begin the setting of a sentence: "In the left lobe, ...". */
export const FRONTED = setOf(
  'in on at within inside around near beside along throughout after following during with without from behind above below under over compared unlike relative lacking not at adjacent between to by for',
);
/** Prepositions of place, as opposed to direction. */
export const STATIC = setOf('in within of at on inside');
export const DEFINITE = setOf('the this these that those its their');
/** Marks that divide a sentence. */
export const BREAKS = setOf(', ( ) : – — [ ]');
export const DETERMINERS = setOf('the this these that those its their a an');
export const LISTS = setOf('and or nor & / as well plus');
export const PARTICIPLES = setOf(
  'located situated centred centered involving extending measuring occupying arising lying reaching seated affecting appearing presenting showing surrounding surrounded containing infiltrating compressing causing leading suggesting indicating',
);
export const DEGREES = setOf(
  'mild slight moderate marked severe extensive significant small large minor subtle massive pronounced prominent new several multiple',
);

/** Words for a lesion, whose side counts. */
const LESION =
  /^(?:lesion|tumou?r|necro|neoplas|infiltrat|signal|enhanc|abnormal|cyst|focus$|foci$|hyperintens|hypointens|infarct|plaque|nodul|metasta|h(?:a|e)?emorrh|stroke|isch(?:a|e)?em|demyelin|gliosis|gbm|lgg|hgg|malignan|restrict)|(?:gli|astrocyt|blast|mening|ependym|lymph|schwann|carcin|hemat|haemat)oma(?:s|ta|tous)?$/;
export const isLesion = (word: string, next: string | undefined): boolean =>
  LESION.test(word) || (/^mass(?:es)?$/.test(word) && !/^effects?$/.test(next ?? ''));
/** A thing that is present or absent, as opposed to a signal, which everything has. */
export const isThing = (word: string, next: string | undefined): boolean =>
  isLesion(word, next) && !/^(?:signal|abnormal|enhanc|restrict)/.test(word);
export const isEdema = (word: string): boolean => /^o?edema|^swell|^swollen/.test(word);
export const isCompression = (word: string): boolean => /^(?:compress|effac)/.test(word);
export const isVentricle = (word: string): boolean =>
  /^(?:(?:intra|bi|supra)?ventric(?:le|les|ular)|ventriculomegaly|horns?|atria|atrium|trigones?|hydroceph\w*)$/.test(
    word,
  );
export const isBrain = (word: string): boolean =>
  /^(?:lobes?|lobar|hemispher\w*|frontal|parietal|temporal|occipital|insula\w*|gangli\w*|thalam\w*|cerebell\w*|cerebr\w*|callos\w*|capsul\w*|matter|cortex|cortic\w*|gyr[iu]s?|radiata|semiovale|hippocamp\w*|pons|pontine|brain\w*|midbrain|peduncl\w*|uncus|operculum|cingul\w*|amygdal\w*|putamen|caudate|pallid\w*|vermis|vertex|convexity|poles?|subcortical|periventricular|opercular|peri\w+al|(?:fronto|parieto|temporo|occipito)\w*)$/.test(
    word,
  );
export const isMidline = (word: string): boolean =>
  /^(?:midline|falx|septum|septal|pineal|subfalcine|interhemispheric)$/.test(word);
export const isShift = (word: string): boolean =>
  /^(?:shift|displac|deviat|herniat|push|mov(?:e|es|ed|ing)$|bulg|bow(?:s|ed|ing)?$|tilt|deflect)/.test(word);
export const isSpread = (word: string): boolean =>
  /^(?:cross|exten|spread|infiltrat|involv|invad|invasion|reach|grow|continu)/.test(word);
/** Words outside the brain, or that have a side for another reason. */
export const isElsewhere = (word: string): boolean =>
  /^(?:handed\w*|hemipar\w*|hemipleg\w*|hemianop\w*|hemisens\w*|hemisynd\w*|weakness|pals\w+|paresis|seizures?|numbness|arms?|legs?|hands?|f(?:oo|ee)t|limbs?|fac(?:e|ial)|eyes?|ears?|orbit\w*|visual|optic|sinus(?:es)?|maxillary|ethmoid\w*|sphenoid\w*|mastoid\w*|parotid\w*|scalp|skull|calvari\w*|bones?|craniotomy|craniectomy|burr|arter(?:y|ies)|carotid|catheter|shunt|drain|electrode\w*|neck|shoulder|tympanic)$/.test(
    word,
  );
/** A word of place. With a lesion it makes a noun phrase a statement. */
export const isSideOrPlace = (word: string): boolean =>
  /^(?:left|right|bilateral|bilat|both|l|r|lt|rt)$|lob|hemispher|front|pariet|tempor|occip|cerebell|thalam|insul|gangli/.test(
    word,
  );
