// The work that the soak does over and over: reports, load and dispose, aborts, refused files.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { Brain3D, Brain3DError, loadVolume, preprocess } from 'brain3d';

/** Each is set up once and gives a function that is called with 0, 1, ... and must succeed. */
export const WORK = {
  async reports({ model, sample }) {
    const loaded = await Brain3D.load({ model });
    const input = await preprocess(await loadVolume(sample));
    let first;
    return {
      // Every tenth from the file: reading and finding the brain take most of the time.
      async call(index) {
        const { text } = await loaded.generate(index % 10 === 0 ? sample : input, { greedy: true });
        first ??= text;
        if (text !== first) throw new Error('the same report came out differently');
      },
      end: () => loaded.dispose(),
    };
  },

  async cycles({ model, sample }) {
    const input = await preprocess(await loadVolume(sample));
    return {
      async call() {
        const loaded = await Brain3D.load({ model });
        await loaded.generate(input, { maxNewTokens: 1 });
        await loaded.dispose();
      },
      end: async () => undefined,
    };
  },

  async aborts({ model, sample }) {
    const loaded = await Brain3D.load({ model });
    const volume = await loadVolume(sample);
    const input = await preprocess(volume);
    const long = { minNewTokens: 500, maxNewTokens: 500, noRepeatNgramSize: 0 };
    const kinds = [
      (signal) => loaded.generate(input, { ...long, signal }),
      (signal) => loadVolume(sample, { signal }),
      (signal) => preprocess(volume, { signal }),
      (signal) => loaded.encode(input, { signal }),
      async (signal) => {
        for await (const _ of loaded.stream(input, { ...long, signal }));
      },
      // One runs, one waits.
      (signal) =>
        Promise.all([loaded.generate(input, { ...long, signal }), loaded.generate(input, { ...long, signal })]),
    ];
    return {
      async call(index) {
        const controller = new AbortController();
        const reason = new Error('enough');
        const work = kinds[index % kinds.length](controller.signal).catch((error) => error);
        if (index % 4 !== 0) await sleep(index % 5);
        controller.abort(reason);
        const outcome = await work;
        // Short work may have ended before.
        if (outcome instanceof Error && outcome !== reason) throw outcome;
      },
      end: () => loaded.dispose(),
    };
  },

  async refusals({ folder }) {
    const files = badFiles(join(folder, 'bad'));
    return {
      async call(index) {
        const file = files[index % files.length];
        const outcome = await loadVolume(file).catch((error) => error);
        if (!Brain3DError.isInstance(outcome)) throw new Error(`${file} was not refused: ${outcome}`);
      },
      end: async () => undefined,
    };
  },
};

/** A NIfTI-1 header of 8 x 8 x 8 int16 in RAS, as `change` spoils it. */
function header(change = () => undefined) {
  const bytes = Buffer.alloc(352);
  bytes.writeInt32LE(348, 0);
  [3, 8, 8, 8, 1, 1, 1, 1].forEach((size, i) => void bytes.writeInt16LE(size, 40 + 2 * i));
  bytes.writeInt16LE(4, 70);
  bytes.writeInt16LE(16, 72);
  [1, 1, 1, 1, 1, 1, 1, 1].forEach((size, i) => void bytes.writeFloatLE(size, 76 + 4 * i));
  bytes.writeFloatLE(352, 108);
  bytes.writeInt16LE(1, 254);
  for (const row of [0, 1, 2]) bytes.writeFloatLE(1, 280 + 16 * row + 4 * row);
  bytes.write('n+1\0', 344, 'latin1');
  change(bytes);
  return bytes;
}

function badFiles(dir) {
  mkdirSync(dir, { recursive: true });
  const voxels = Buffer.alloc(1024, 3);
  const whole = Buffer.concat([header(), voxels]);
  const packed = gzipSync(whole);
  const spoilt = Buffer.from(packed);
  spoilt[packed.length - 6] ^= 0xff;
  const contents = {
    'empty.nii': Buffer.alloc(0),
    'text.nii': Buffer.from('not an image at all\n'.repeat(100)),
    'short.nii': whole.subarray(0, 700),
    'stub.nii': whole.subarray(0, 100),
    'magic.nii': Buffer.concat([header((b) => b.write('xyz', 344)), voxels]),
    'huge.nii': Buffer.concat([
      header((b) => [1, 2, 3].forEach((i) => void b.writeInt16LE(32767, 40 + 2 * i))),
      voxels,
    ]),
    'negative.nii': Buffer.concat([header((b) => b.writeInt16LE(-8, 42)), voxels]),
    'type.nii': Buffer.concat([header((b) => b.writeInt16LE(9999, 70)), voxels]),
    'nowhere.nii': Buffer.concat([header((b) => b.writeInt16LE(0, 254)), voxels]),
    'offset.nii': Buffer.concat([header((b) => b.writeFloatLE(1e9, 108)), voxels]),
    'cut.nii.gz': packed.subarray(0, packed.length / 2),
    'spoilt.nii.gz': spoilt,
    'plain.nii.gz': Buffer.from('no gzip'),
  };
  const written = Object.entries(contents).map(([name, bytes]) => {
    writeFileSync(join(dir, name), bytes);
    return join(dir, name);
  });
  return [...written, join(dir, 'missing.nii')];
}
