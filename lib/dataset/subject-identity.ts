/** Decides when two names of subjects mean one person. */

/**
 * Returns one text for all spellings of a subject's name that likely mean one person. It ignores case, leading zeros of
 * a number, white space, and how Unicode composes the characters.
 */
export function subjectIdentity(subject: string): string {
  return subject
    .normalize('NFKC')
    .replace(/\s+/g, '')
    .toLowerCase()
    .replace(/(?<!\d)0+(?=\d)/g, '');
}
