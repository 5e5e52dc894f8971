/** The statement on every report, page and table of results. */
export const DISCLAIMER =
  'Research use only. Not a medical device. Not for diagnosis. Must be reviewed by a qualified radiologist.';
