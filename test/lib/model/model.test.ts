/** The API on the demo model: what a caller gets, and what is refused. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Brain3D,
  Brain3DError,
  DISCLAIMER,
  initCheckpoint,
  loadVolume,
  preprocess,
  type Report,
  Volume,
} from 'brain3d';
import { MODEL, SAMPLE } from '../../support/child';

const greatestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - (b[at] as number))), 0);

let model: Brain3D;
let input: Volume;

beforeAll(async () => {
  model = await Brain3D.load({ model: MODEL });
  input = await preprocess(await loadVolume(SAMPLE));
});
afterAll(() => model.dispose());

describe('generate', () => {
  let report: Report;
  beforeAll(async () => {
    report = await model.generate(SAMPLE, { seed: 1 });
  });

  test('gives a text with everything needed to write it again', () => {
    expect(report.text).toMatch(/^[A-Z][a-z].{80,}\.$/s);
    expect(report.finishReason).toBe('eos');
    expect(report.tokenIds.at(-1)).toBe(1);
    expect(report.counts).toEqual({
      visualTokens: 32,
      promptTokens: expect.any(Number),
      newTokens: report.tokenIds.length,
      batchSize: 1,
    });
    expect(report.settings).toEqual({
      maxNewTokens: 256,
      minNewTokens: 0,
      temperature: 0.1,
      topK: 64, // from generation_config.json
      topP: 0.9,
      repetitionPenalty: 1.2,
      noRepeatNgramSize: 3,
      greedy: false,
      seed: 1,
    });
    expect(report.model).toMatchObject({
      recipe: 'paper',
      compression: 'sequence',
      phase: 'lora-sft',
      hasAdapter: true,
    });
    expect(report.volume).toMatchObject({ shape: [90, 108, 90], orientation: 'LPS', affineSource: 'sform' });
    expect(Object.values(report.timingsMs).every((ms) => ms >= 0)).toBe(true);
  });

  test('says that it is for research and what the demo checkpoint was trained on', () => {
    expect(report.researchUseOnly).toBe(true);
    expect(report.disclaimer).toBe(DISCLAIMER);
    expect(report.warnings).toContainEqual(expect.stringContaining('trained on simulated data'));
  });

  test('says that a checkpoint is untrained', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'test-model-'));
    try {
      const { vision, language } = model.checkpoint;
      const geometry = { depthKernel: 4, depthStride: 4, depthPadding: 0 };
      const out = join(directory, 'fresh');
      await initCheckpoint({ vision: vision.dir, language: language.dir, out, ...geometry });
      await using fresh = await Brain3D.load({ model: out });
      const { warnings } = await fresh.generate(input, { maxNewTokens: 4 });
      expect(warnings).toContainEqual(expect.stringContaining('untrained'));
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('the slice-wise baseline sees planes in any order alike; a random patch embedding is another model', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'test-model-'));
    try {
      const { vision, language } = model.checkpoint;
      const geometry = { depthKernel: 4, depthStride: 4, depthPadding: 0 };
      const made = { vision: vision.dir, language: language.dir, ...geometry };
      const voxels = input.data();
      const planes = new Float32Array(voxels.length);
      const [depth, area] = [64, 128 * 128];
      for (let z = 0; z < depth; z++) planes.set(voxels.subarray((depth - 1 - z) * area, (depth - z) * area), z * area);
      const [upright, upsideDown] = [voxels, planes].map((of) =>
        Volume.fromArray(of, [64, 128, 128], input.info.affine),
      ) as [Volume, Volume];
      const tokensOf = async (out: string, volume: Volume) => {
        await using loaded = await Brain3D.load({ model: out });
        return (await loaded.encode(volume)).patchTokens;
      };
      const out = join(directory, 'slices');
      const { provenance } = await initCheckpoint({ ...made, out, recipe: 'slices' });
      expect(provenance).toMatchObject({ command: 'init', seed: 0, patch_embedding: 'inflated' });
      const straight = await tokensOf(out, upright);
      expect(straight.shape).toEqual([81, 192]); // one plane of 9 x 9, where the 3D model has 16
      const turned = await tokensOf(out, upsideDown);
      expect(greatestDifference(straight.data, turned.data)).toBeLessThan(1e-4);

      const inflated = await initCheckpoint({ ...made, out: join(directory, 'inflated') });
      const random = await initCheckpoint({ ...made, out: join(directory, 'random'), patchEmbedding: 'random' });
      expect(random.provenance).toMatchObject({ patch_embedding: 'random' });
      const [a, b] = [await tokensOf(inflated.dir, upright), await tokensOf(random.dir, upright)];
      expect(a.shape).toEqual([1296, 192]);
      expect(greatestDifference(a.data, b.data)).toBeGreaterThan(0.1);
      expect(greatestDifference(a.data, (await tokensOf(inflated.dir, upsideDown)).data)).toBeGreaterThan(0.1);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  test('never repeats a trigram', () => {
    const trigrams = report.tokenIds.slice(2).map((id, i) => `${report.tokenIds[i]} ${report.tokenIds[i + 1]} ${id}`);
    expect(new Set(trigrams).size).toBe(trigrams.length);
  });

  test('gives the same tokens for the same seed, and others for another', async () => {
    const hot = { temperature: 1.5, topP: 1, topK: 0 };
    const [a, b, c] = await model.generate([input, input], { ...hot, seed: 5 }).then(async ([first, second]) => {
      return [first, second, await model.generate(input, { ...hot, seed: 6 })] as Report[];
    });
    const alone = await model.generate(input, { ...hot, seed: 5 });
    expect(alone.tokenIds).toEqual(a?.tokenIds);
    expect(b?.tokenIds).toEqual(a?.tokenIds); // the draws do not depend on the place in the batch
    expect(c?.tokenIds).not.toEqual(a?.tokenIds);
  });

  test('decodes several volumes in batches, in order', async () => {
    const flat = input.data().map((x) => (x > 0.5 ? 1 : x));
    const affine = input.info.affine;
    const other = await preprocess(Volume.fromArray(flat, input.info.shape, affine));
    const reports = await model.generate([input, other, input], { greedy: true, batchSize: 2 });
    const alone = await Promise.all([input, other].map((volume) => model.generate(volume, { greedy: true })));
    expect(reports.map((r) => r.tokenIds)).toEqual([alone[0], alone[1], alone[0]].map((r) => r?.tokenIds));
    expect(reports.map((r) => r.counts.batchSize)).toEqual([2, 2, 1]);
  });

  test('stops at maxNewTokens and says so', async () => {
    const short = await model.generate(input, { maxNewTokens: 4 });
    expect(short).toMatchObject({ finishReason: 'length', counts: { newTokens: 4 } });
    expect(short.warnings).toContainEqual(expect.stringContaining('cut at the limit'));
  });

  test('tells progress by events', async () => {
    const seen: string[] = [];
    const listen = ({ stage }: { stage: string }): void => void seen.push(stage);
    model.on('progress', listen);
    await model.generate([SAMPLE], { maxNewTokens: 2 });
    model.off('progress', listen);
    expect(seen).toEqual(['volumes', 'reports']);
  });
});

describe('stream', () => {
  test('yields the report piece by piece', async () => {
    const stream = model.stream(input, { seed: 2 });
    let text = '';
    const ids: number[] = [];
    for await (const chunk of stream) {
      text += chunk.text;
      if (chunk.tokenId >= 0) ids.push(chunk.tokenId);
    }
    const report = await stream.report;
    expect(text.trim()).toBe(report.text);
    expect(ids).toEqual(report.tokenIds);
    expect((await model.generate(input, { seed: 2 })).text).toBe(report.text);
  });

  test('stops the native work when the loop is left', async () => {
    const stream = model.stream(input, { minNewTokens: 1500, maxNewTokens: 1500, noRepeatNgramSize: 0 });
    for await (const chunk of stream) {
      expect(chunk.tokenId).toBeGreaterThanOrEqual(0);
      break;
    }
    await expect(stream.report).rejects.toMatchObject({ name: 'AbortError' });
  });
});

describe('abort', () => {
  test('rejects with the reason of the signal and leaves no listener behind', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const working = model.generate(input, {
      minNewTokens: 1500,
      maxNewTokens: 1500,
      noRepeatNgramSize: 0,
      signal: controller.signal,
    });
    setTimeout(() => controller.abort(reason), 100);
    await expect(working).rejects.toBe(reason);
  });

  test('does not begin when already aborted', async () => {
    const aborted = AbortSignal.abort();
    await expect(model.encode(input, { signal: aborted })).rejects.toMatchObject({ name: 'AbortError' });
    await expect(loadVolume(SAMPLE, { signal: aborted })).rejects.toMatchObject({ name: 'AbortError' });
    await expect(Brain3D.load({ model: MODEL, signal: aborted })).rejects.toMatchObject({ name: 'AbortError' });
  });
});

test('an error thrown by a progress callback ends the load and becomes its rejection', async () => {
  const mine = new Error('mine');
  const onProgress = (): void => {
    throw mine;
  };
  await expect(Brain3D.load({ model: MODEL, onProgress })).rejects.toBe(mine);
});

describe('encode and score', () => {
  test('encode gives every stage with its sizes', async () => {
    const encoding = await model.encode(SAMPLE);
    expect(encoding.volume.shape).toEqual([64, 128, 128]);
    expect(encoding.patchTokens.shape).toEqual([1296, 192]);
    expect(encoding.pooledTokens.shape).toEqual([32, 192]);
    expect(encoding.visualTokens.shape).toEqual([32, 192]);
    for (const { data, shape } of Object.values(encoding))
      expect(data).toHaveLength(shape.reduce((a: number, b: number) => a * b, 1));
    // Token 3 of the sequence pooling is the mean of its bin: floor(3 * 1296 / 32) .. ceil(4 * 1296 / 32) - 1.
    const mean = (begin: number, end: number): number => {
      let sum = 0;
      for (let n = begin; n < end; n++) sum += encoding.patchTokens.data[n * 192] as number;
      return sum / (end - begin);
    };
    expect(encoding.pooledTokens.data[3 * 192]).toBeCloseTo(mean(121, 162), 5);
  });

  test('score finds a fluent report likelier than the same words shuffled, and ends with EOS', async () => {
    const { text } = await model.generate(input, { greedy: true });
    const fluent = await model.score(input, text);
    const shuffled = await model.score(input, text.split(' ').reverse().join(' '));
    expect(fluent.tokenIds.at(-1)).toBe(1);
    expect(fluent.tokenNlls).toHaveLength(fluent.tokenIds.length);
    expect(fluent.meanNll).toBeLessThan(shuffled.meanNll / 3);
  });
});

describe('rejects', () => {
  test.each([
    [{ temprature: 1 }, TypeError, "unknown option 'temprature'; did you mean 'temperature'?"],
    [{ topP: 1.5 }, RangeError, 'expected a number from 0 to 1 for topP, got 1.5'],
    [{ topK: '5' }, TypeError, "for topK, got '5'"],
    [{ temperature: 0 }, RangeError, 'expected a number > 0 for temperature, got 0'],
    [{ temperature: Number.NaN }, TypeError, 'temperature'],
    [{ temperature: 1e-39 }, RangeError, 'expected a number from 1.18e-38 to 3.4e+38 for temperature, got 1e-39'],
    [{ repetitionPenalty: 1e-39 }, RangeError, 'for repetitionPenalty, got 1e-39'],
    [{ repetitionPenalty: 1e39 }, RangeError, 'for repetitionPenalty, got 1e+39'],
    [{ maxNewTokens: 0 }, RangeError, 'maxNewTokens'],
    [{ minNewTokens: 300 }, RangeError, 'expected minNewTokens <= maxNewTokens (256), got 300'],
    [{ seed: -1 }, RangeError, 'seed'],
    [{ seed: 0.5 }, RangeError, 'seed'],
    [{ greedy: 1 }, TypeError, 'expected true or false for greedy, got 1'],
    [{ signal: {} }, TypeError, 'expected an AbortSignal'],
    [null, TypeError, 'expected an options object, got null'],
  ])('the options %j', async (options, kind, message) => {
    const failure = await model.generate(input, options as never).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(kind);
    expect((failure as Error).message).toContain(message);
  });

  test('not a temperature that is small but sound: it is greedy', async () => {
    const settings = { repetitionPenalty: 1, noRepeatNgramSize: 0, maxNewTokens: 24 };
    const cold = await model.generate(input, { ...settings, temperature: 1e-30 });
    expect(cold.text).toBe((await model.generate(input, { ...settings, greedy: true })).text);
  });

  test('a prompt and length beyond the model', async () => {
    await expect(model.generate(input, { maxNewTokens: 5000 })).rejects.toMatchObject({
      code: 'BRAIN3D_USAGE',
      message: expect.stringContaining("exceeds the language model's 2048"),
    });
  });

  test('a volume preprocessed to another size', async () => {
    const small = await preprocess(await loadVolume(SAMPLE), { size: [8, 28, 28] });
    await expect(model.generate(small)).rejects.toMatchObject({
      code: 'BRAIN3D_SHAPE',
      message: expect.stringContaining('(B, 1, 64, 128, 128)'),
    });
  });

  test('an empty report to score', async () => {
    await expect(model.score(input, ' ')).rejects.toBeInstanceOf(TypeError);
  });

  test('a native failure with the stack of the call', async () => {
    const failure = await model.generate(input, { maxNewTokens: 5000 }).catch((error: unknown) => error);
    expect(Brain3DError.isInstance(failure)).toBe(true);
    expect((failure as Error).stack).toContain('model.test.ts');
  });
});
