#!/usr/bin/env node
// Reads the files of hostile.py with brain3d and compares: `node tools/reference/hostile.mjs DIR`, after `npm run
// build` and one `npm test -- --native x` (which builds build/parsers/fuzz_replay). The status is 1 if the readers
// disagree where they must not.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const { loadVolume } = createRequire(import.meta.url)(join(ROOT, 'dist/index.js'));
const dir = process.argv[2];
const python = JSON.parse(readFileSync(join(dir, 'python.json'), 'utf8'));

/** The largest allowed difference of an affine. nibabel computes a qform's rotation in another order of operations. */
const AFFINE_TOLERANCE = 1e-5;
const digest = (voxels) => createHash('sha256').update(Buffer.from(voxels.buffer)).digest('hex');

async function compareValid() {
  const problems = [];
  let unoriented = 0;
  for (const { file, shape, voxels, affine, oriented, axes } of python.valid) {
    const path = join(dir, 'valid', file);
    if (!oriented) {
      unoriented += 1;
      const refusal = await loadVolume(path).then(
        () => null,
        (error) => error.code,
      );
      if (refusal !== 'BRAIN3D_ORIENTATION') problems.push(`${file}: its unknown orientation was accepted`);
    }
    const volume = await loadVolume(path, oriented ? {} : { orientation: 'RAS' });
    if (String(volume.info.shape) !== String(shape)) problems.push(`${file}: another shape`);
    if (digest(volume.data()) !== voxels) problems.push(`${file}: other voxels`);
    if (!oriented) continue;
    const error = Math.max(...affine.map((value, i) => Math.abs(value - volume.info.affine[i])));
    if (error > AFFINE_TOLERANCE) problems.push(`${file}: an affine that differs by ${error}`);
    if (volume.info.orientation !== axes) problems.push(`${file}: axes ${volume.info.orientation}, nibabel's ${axes}`);
  }
  const agreed = python.valid.length - problems.length;
  console.log(
    `valid NIfTI files: ${agreed} of ${python.valid.length} as nibabel ${python.versions.nibabel} reads them`,
  );
  console.log(`  ${unoriented} of them say nothing of their orientation: refused, read when it is stated`);
  return problems;
}

async function compareFlipped() {
  const intact = digest((await loadVolume(join(dir, 'flipped/intact.nii.gz'))).data());
  const table = {};
  const problems = [];
  for (const { file, nibabel } of python.flipped) {
    const brain3d = await loadVolume(join(dir, 'flipped', file)).then(
      (volume) => (digest(volume.data()) === intact ? 'same voxels' : 'other voxels'),
      (error) => `refused (${error.code})`,
    );
    if (brain3d === 'other voxels') problems.push(`${file}: damaged, and read`);
    const key = `nibabel: ${nibabel}; brain3d: ${brain3d}`;
    table[key] = (table[key] ?? 0) + 1;
  }
  console.log(`${python.flipped.length} .nii.gz files with one bit flipped`);
  for (const [key, count] of Object.entries(table).sort()) console.log(`  ${count} ${key}`);
  return problems;
}

/** Prints the table of docs/hostile-files.md. */
async function compareOdd() {
  console.log('| case | file | brain3d | nibabel |\n|---|---|---|---|');
  const problems = [];
  for (const { file, case: id, what, nibabel } of python.odd) {
    const brain3d = await loadVolume(join(dir, 'odd', file)).then(
      () => 'read',
      (error) => `refused: \`${error.code}\``,
    );
    if (brain3d === 'read') problems.push(`${file}: read`);
    console.log(`| ${id} | ${what} | ${brain3d} | ${nibabel} |`);
  }
  return problems;
}

function compareTensors() {
  const program = join(ROOT, 'build/parsers/fuzz_replay');
  const run = spawnSync(program, ['--accepted', 'safetensors', join(dir, 'tensors')], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  if (run.status !== 0) throw new Error(`fuzz_replay ended with ${run.status ?? run.error}: ${run.stderr.slice(-500)}`);
  const accepted = new Set(run.stdout.split('\n').filter(Boolean));
  const theirs = new Set(python.tensors.filter((record) => record.accepted).map(({ file }) => file));
  const more = [...accepted].filter((file) => !theirs.has(file));
  console.log(
    `${python.tensors.length} safetensors files: brain3d accepts ${accepted.size}, safetensors ` +
      `${python.versions.safetensors} ${theirs.size}; ${more.length} that only brain3d accepts`,
  );
  return more.map((file) => `${file}: accepted by brain3d only`);
}

const problems = [...(await compareValid()), ...(await compareFlipped()), ...compareTensors(), ...(await compareOdd())];
for (const problem of problems.slice(0, 20)) console.log(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
