// The volume as the model sees it, as NIfTI and as a picture to check left and right on.
//
//   node examples/preprocess.mjs [VOLUME [DIRECTORY]]
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { loadVolume, montage, preprocess } from 'brain3d';

const root = new URL('..', import.meta.url).pathname;
const [path = `${root}assets/colin27_t1_2mm.nii.gz`, directory = 'preprocessed'] = process.argv.slice(2);

const volume = await loadVolume(path);
const { shape, spacingMm, orientation, affineSource, warnings } = volume.info;
console.log(`${shape.join(' x ')} voxels (D, H, W), ${spacingMm.join(' x ')} mm, ${orientation} from ${affineSource}`);
for (const warning of warnings) console.error(`warning: ${warning}`);

const input = await preprocess(volume);
mkdirSync(directory, { recursive: true });
await input.write(join(directory, 'volume.nii.gz'));
writeFileSync(join(directory, 'montage.png'), await montage(input));
console.log(`wrote volume.nii.gz (${input.info.shape.join(' x ')}, ${input.info.orientation}) and montage.png`);
