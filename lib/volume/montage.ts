/** Makes a PNG picture of a volume's slices, each with its side letters. */
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { LayoutName, MontageInput } from './montage-slices';
import type { Volume } from './volume';

/**
 * Returns a PNG of 14 axial slices from inferior to superior, and of a coronal and a sagittal one through the middle.
 * Radiological convention: the patient's right is on the image's left, anterior is up; the sagittal slice looks to the
 * left.
 * @throws {RangeError} if the volume is not preprocessed
 */
export async function montage(volume: Volume): Promise<Uint8Array> {
  return drawVolume(volume, 'full');
}

/** @internal Draws the montage in the given layout. */
export async function drawVolume(volume: Volume, layout: LayoutName): Promise<Uint8Array> {
  if (volume.preprocessed === null)
    throw new RangeError('montage: expected a preprocessed volume, got one as read; call preprocess(volume) first');
  const { shape, spacingMm } = volume.info;
  const voxels = volume.data();
  const input: MontageInput = { voxels, shape, spacingMm, layout };
  // A thread of its own does this: drawing and compressing a megapixel would hold the event loop for a fifth of a
  // second.
  const worker = new Worker(join(__dirname, 'montage-worker.mjs'), {
    workerData: input,
    transferList: [voxels.buffer as ArrayBuffer],
  });
  try {
    return await new Promise<Uint8Array>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
  } finally {
    await worker.terminate();
  }
}
