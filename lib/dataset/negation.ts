/** What a clause says is absent or normal: of a side or place (`isNegated`), and of a finding (`isFindingNegated`). */

export const LESION =
  /lesion|tumou?r|\bmass(?! effect)|necro|neoplas|gliom|infiltrat|signal|enhanc|abnormal|cyst|focus|foci/i;
export const EDEMA = /o?edema|swelling/i;
export const COMPARED =
  /\b(?:than|compared +(?:with|to)|relative +to|in +contrast +to|versus|vs\.?|unlike|contralateral|opposite|healthy|normal)(?: +(?:that|those) +(?:on|of|in))?(?: +(?:the|in|on))*(?: +(?:contralateral|opposite|normal|healthy))? +$/i;
export const NEGATED_BEFORE =
  /\b(?:no|not|without|absence +of|absent|free +of|never|neither|nor|lacks?|lacking|cannot|spar(?:es|ing))\b(?! +(?:only|limited|confined|restricted|just|merely|exclusively)\b)/i;
const THE_LESION = /\bthe +(?:[\w-]+ +){0,2}(?:lesion|mass|tumou?r|glioma)\b/i;
const NORMAL_AFTER =
  /\b(?:is|are|was|were|appears?|remains?|looks?|seems?)\s+(?:[\w-]+\s+){0,2}(?:normal|unremarkable|spared|preserved|intact|unaffected|uninvolved|clear|symmetric(?:al)?|unchanged)\b|\b(?:is|are|was|were)\s+(?:not|un)\s*-?(?:involved|affected)\b|\b(?:shows?|has|have|demonstrates?|reveals?)\s+no\b|\b(?:no|without)\s+(?:[\w-]+\s+){0,2}abnormal/i;
/** "No abnormality except in the left lobe": what is left over is there. */
const OTHER_THAN = /\b(?:except(?: +(?:for|in))?|other +than|apart +from|aside +from)\b/i;

/** Whether the side or place between `before` and `after` is that of something absent or normal. */
export function isNegated(before: string, after: string, noun: string): boolean {
  const scope = before.split(OTHER_THAN).at(-1) as string;
  const negator = NEGATED_BEFORE.exec(scope);
  // "No necrosis in the lesion of the left lobe": there is a lesion, and it is there.
  if (negator !== null) {
    const isThere = THE_LESION.test(scope.slice(negator.index)) || (/\bthe +$/i.test(before) && LESION.test(noun));
    return !isThere;
  }
  // "The lesion in the left lobe shows no necrosis": its subject is the lesion, so the side stands.
  return NORMAL_AFTER.test(after) && !LESION.test(before) && !EDEMA.test(before);
}

/** The words that belong to a side: "right lateral ventricle" of "right lateral ventricle is compressed". */
export function nounAfter(after: string): string {
  const words = after
    .replace(/^\s+(?:side|half|part|aspect|portion) +of +(?:the +)?/i, ' ')
    .split(
      /\b(?:is|are|was|were|has|have|with|in|on|at|to|from|by|near|around|appears?|shows?|and|or|which|that)\b|[(),;:]|\w+(?:ed|ing)\b|\b(?:compress|displac|deform|distort|caus|extend|involv|cross|reach)\w*/i,
    )[0];
  return (words ?? '').trim();
}

/** Words that look like a negation of what follows and are none. */
const NO_CHANGE =
  /\b(?:no|without(?: +any)?|not +any)\s+(?:[\w-]+\s+){0,2}(?:change|increase|decrease|progression|improvement|doubt)s?\b/gi;
/** What follows these is no longer denied: "no abnormality other than a lesion". */
const SCOPE_END =
  /\b(?:but|although|however|except(?:ing)?(?: +for)?|other +than|apart +from|aside +from|besides|(?<!(?:associated|consistent|compatible) +)with|and +(?:is|are|was|were|has|have|shows?|\w+ed +by))\b/i;
const RULED_OUT_BEFORE = /\b(?:rul(?:es?|ed|ing) +out|exclud(?:es?|ed|ing)|denie[sd])\b/i;
/** "Around the lesion", "of its edema": named as something that is there. */
const GIVEN_BEFORE =
  /\b(?:of|in|around|near|within|inside|by|from|surrounding|beside|adjacent +to)\s+(?:the|this|these|that|its)\s+(?:[\w-]+\s+){0,2}$/i;
const NOT_SEEN_AFTER =
  /^(?:(?!\b(?:is|are|was|were|has|have|had|can|could|shows?|with|without|which|that)\b).)*?(?:\b(?:is|are|was|were|has|have|had|can|could)\s+(?:(?:not|never|no +longer)|cannot)\s+(?:be +|been +)?(?:[\w-]+ly\s+)?(?:seen|identified|noted|observed|visible|visuali[sz]ed|evident|apparent|obvious|significant|present|detected|found|appreciated|demonstrated|there)\b|\b(?:cannot +be +|(?:(?:is|are|was|were)\s+)?not\s+)(?:[\w-]+ly\s+)?(?:seen|identified|noted|observed|visible|evident|obvious|present|detected)\b|\b(?:is|are|was|were)\s+(?:absent|negative|excluded|ruled +out)\b|^\s*(?::|=|-)?\s*(?:none|absent|negative|nil)\b)/i;

/** Whether a finding between `before` and `after` is said not to be there. */
export function isFindingNegated(before: string, after: string): boolean {
  if (GIVEN_BEFORE.test(before)) return false;
  const scope = before
    .replace(NO_CHANGE, (words) => ' '.repeat(words.length))
    .split(SCOPE_END)
    .at(-1) as string;
  return NEGATED_BEFORE.test(scope) || RULED_OUT_BEFORE.test(scope) || NOT_SEEN_AFTER.test(after);
}

/** Whether a place between `before` and `after`, of the noun phrase `noun`, is spared, normal or where nothing is. */
export function isPlaceNegated(before: string, after: string, noun: string): boolean {
  return isNegated(before, after, noun) || NOT_SEEN_AFTER.test(after);
}
