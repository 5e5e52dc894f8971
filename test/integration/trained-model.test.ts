/** The demo model sees: what it writes of simulated patients is what their masks hold. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Brain3D, extractLaterality, simulateCohort } from 'brain3d';
import { MODEL } from '../support/child';

// The demo's patient: a lesion of the left temporal lobe.
const SUBJECT = 'Simulated_Training_001';
let directory: string;
let model: Brain3D;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'test-trained-'));
  model = await Brain3D.load({ model: MODEL });
  await simulateCohort({ out: directory, subjects: 1, seed: 2 });
});
afterAll(async () => {
  await model.dispose();
  rmSync(directory, { recursive: true });
});

test("the report has the side, the lobe, the edema's grade, the necrosis and the compressed ventricle of the demo's patient", async () => {
  const scan = join(directory, 'brats', SUBJECT, `${SUBJECT}_flair.nii.gz`);
  const truth = readFileSync(join(directory, 'reports', SUBJECT, `${SUBJECT}_flair_text.txt`), 'utf8');
  const { text } = await model.generate(scan, { greedy: true });
  expect(extractLaterality(truth).side).toBe('left');
  expect(extractLaterality(text).side).toBe('left');
  // The truth, by the clauses that a reader would compare.
  for (const finding of [
    /left temporal lobe/,
    /moderate (swelling|edema)|edema .*moderate/i,
    /necrosis (is observed|with low intensity fills)/i,
    // Its degree is little better than habit (models/tiny/README.md).
    /compression is (slight|moderate), deforming the left lateral ventricle/i,
  ])
    for (const report of [truth, text]) expect(report).toMatch(finding);
});
