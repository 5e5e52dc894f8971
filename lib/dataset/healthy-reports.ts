/** The reports of healthy subjects: a few neutral sentences, of which a subject always gets the same one. */
import { fnv1a64 } from '../base/rng';

/** The order is part of every dataset's content: add at the end only, and never change a sentence. */
export const HEALTHY_REPORTS = [
  'The brain parenchyma shows normal signal on this FLAIR MRI, and no focal lesion is seen.',
  'No abnormal signal is identified in the brain on this FLAIR MRI.',
  'This FLAIR MRI shows a brain of normal appearance without a focal lesion.',
  'The ventricles, sulci and brain parenchyma are unremarkable on this FLAIR MRI.',
  'Brain FLAIR MRI within normal limits, without signs of a mass or of edema.',
  'There is no evidence of a lesion, edema or mass effect on this FLAIR MRI of the brain.',
  'The cerebral hemispheres are symmetric and of normal signal on this FLAIR MRI.',
] as const;

/** Chooses the sentence for a subject by FNV-1a (64 bits) of its name. The sentence names T2-weighted scans as such. */
export function healthyReport(subject: string, modality: 'FLAIR' | 'T2w'): string {
  const sentence = HEALTHY_REPORTS[Number(fnv1a64(subject) % BigInt(HEALTHY_REPORTS.length))] as string;
  return modality === 'FLAIR' ? sentence : sentence.replace('FLAIR', 'T2-weighted');
}
