/** Names of subjects: when two of them are one person's. */

/**
 * One text for all spellings of a subject's name that are likely one person's: without regard to case, to leading zeros
 * of a number, to white space, and to how Unicode composes its characters.
 */
export function subjectIdentity(subject: string): string {
  return subject
    .normalize('NFKC')
    .replace(/\s+/g, '')
    .toLowerCase()
    .replace(/(?<!\d)0+(?=\d)/g, '');
}
