/**
 * The same model on the CPU and on a GPU, in float32: what must be equal and what may differ by rounding. The numbers
 * themselves are compared with the references by the native tests (BRAIN3D_TEST_DEVICE=cuda, docs/testing.md).
 */
import {
  Brain3D,
  Brain3DError,
  loadVolume,
  preprocess,
  TRAINING_PHASES,
  type TrainerOptions,
  type Volume,
} from 'brain3d';
import { loadAddon } from '../../../dist/native/binding';
import { MODEL, SAMPLE } from '../../support/child';
import { readLog, train, trainingWorkbench } from '../../support/training';

const [gpu] = loadAddon().systemInfo().cudaDevices;
const onGpu = gpu === undefined ? describe.skip : describe;
const WHY = gpu === undefined ? ' (skipped: no CUDA device)' : '';

/** Rounding of float32 sums in another order, through the demo model's layers. */
const TOLERANCE = 1e-4;

const greatestDifference = (a: Float32Array, b: Float32Array): number =>
  a.reduce((most, value, at) => Math.max(most, Math.abs(value - (b[at] as number))), 0);

onGpu(`a report on CUDA${WHY}`, () => {
  const greedy = { greedy: true, maxNewTokens: 200 };
  let onCpu: Brain3D;
  let onCuda: Brain3D;
  let input: Volume;
  beforeAll(async () => {
    onCpu = await Brain3D.load({ model: MODEL, device: 'cpu' });
    onCuda = await Brain3D.load({ model: MODEL, device: 'cuda', dtype: 'float32' });
    input = await preprocess(await loadVolume(SAMPLE));
  });
  afterAll(() => Promise.all([onCpu.dispose(), onCuda.dispose()]));

  test('visual tokens are those of the CPU to rounding', async () => {
    const [a, b] = await Promise.all([onCpu.encode(input), onCuda.encode(input)]);
    expect(greatestDifference(b.patchTokens.data, a.patchTokens.data)).toBeLessThan(TOLERANCE);
    expect(greatestDifference(b.visualTokens.data, a.visualTokens.data)).toBeLessThan(TOLERANCE);
  });

  test.each([false, true])('greedy tokens are those of the CPU (cudaGraph %p)', async (cudaGraph) => {
    const expected = await onCpu.generate(input, greedy);
    const report = await onCuda.generate(input, { ...greedy, cudaGraph });
    expect(report.device).toBe('cuda:0');
    expect(report.tokenIds).toEqual(expected.tokenIds);
    const both = await onCuda.generate([input, input], { ...greedy, cudaGraph });
    for (const { tokenIds } of both) expect(tokenIds).toEqual(expected.tokenIds);
  });

  test('a seed draws the same tokens as on the CPU', async () => {
    const sampled = { seed: 7, temperature: 0.8, maxNewTokens: 120 };
    const expected = await onCpu.generate(input, sampled);
    for (const cudaGraph of [false, true])
      expect((await onCuda.generate(input, { ...sampled, cudaGraph })).tokenIds).toEqual(expected.tokenIds);
  });

  test('the likelihood of a text is that of the CPU to rounding', async () => {
    const text = 'There is a lesion in the left frontal lobe.';
    const [a, b] = await Promise.all([onCpu.score(input, text), onCuda.score(input, text)]);
    expect(Math.abs(a.meanNll - b.meanNll)).toBeLessThan(TOLERANCE);
  });

  test('a stream gives the report, and an abort ends it', async () => {
    const { tokenIds } = await onCuda.generate(input, greedy);
    const streamed: number[] = [];
    for await (const { tokenId } of onCuda.stream(input, greedy)) streamed.push(tokenId);
    expect(streamed).toEqual(tokenIds);
    const controller = new AbortController();
    const long = { minNewTokens: 500, maxNewTokens: 500, noRepeatNgramSize: 0, signal: controller.signal };
    const seen = (async () => {
      for await (const _ of onCuda.stream(input, long)) controller.abort(new Error('enough'));
    })();
    await expect(seen).rejects.toThrow('enough');
  });

  test('bfloat16 is what CUDA takes by itself, and decodes', async () => {
    await using half = await Brain3D.load({ model: MODEL, device: 'auto' });
    expect(half.info).toMatchObject({ device: 'cuda:0', dtype: 'bfloat16' });
    const { text } = await half.generate(input, { greedy: true, cudaGraph: true });
    expect(text.length).toBeGreaterThan(20);
  });

  test('two models in two calls at once do not disturb each other', async () => {
    await using other = await Brain3D.load({ model: MODEL, device: 'cuda', dtype: 'float32' });
    const alone = await onCuda.generate(input, { ...greedy, cudaGraph: true });
    const all = await Promise.all(
      [onCuda, other, onCuda, other].map((model, i) => model.generate(input, { ...greedy, cudaGraph: i % 2 === 0 })),
    );
    for (const { tokenIds } of all) expect(tokenIds).toEqual(alone.tokenIds);
  });

  test('dispose gives the memory back', async () => {
    const free = (): number => (loadAddon().systemInfo().cudaDevices[0] as { freeBytes: number }).freeBytes;
    const before = free();
    for (let round = 0; round < 3; round++) {
      const other = await Brain3D.load({ model: MODEL, device: 'cuda', dtype: 'float32' });
      await other.generate([input, input, input, input], greedy);
      await other.dispose();
      await onCuda.generate(input, { maxNewTokens: 1 }); // behind what dispose has queued
    }
    expect(before - free()).toBeLessThan(64 * 2 ** 20);
  });

  test('a device that is not there is named', async () => {
    const error = await Brain3D.load({ model: MODEL, device: 'cuda:63' }).catch((reason) => reason);
    expect(Brain3DError.isInstance(error)).toBe(true);
    expect(error.code).toBe('BRAIN3D_DEVICE');
  });
});

onGpu(`training on CUDA${WHY}`, () => {
  const bench = trainingWorkbench();

  test('three phases have the losses of the CPU to rounding', async () => {
    const options = (device: string): TrainerOptions =>
      bench.options({ device, dtype: 'float32', seed: 3, lora: { dropout: 0 } });
    const [cpu, cuda] = [options('cpu'), options('cuda')];
    await train(cpu);
    await train(cuda);
    for (const phase of TRAINING_PHASES) {
      const losses = (out: string) =>
        readLog(out, phase)
          .filter(({ loss }) => loss !== undefined)
          .map(({ loss }) => loss as number);
      const expected = losses(cpu.out);
      expect(expected.length).toBeGreaterThan(1);
      losses(cuda.out).forEach((loss, step) => void expect(loss).toBeCloseTo(expected[step] as number, 2));
    }
  });

  test('bfloat16 trains', async () => {
    const run = bench.options({ device: 'cuda', dtype: 'bfloat16' });
    const { phases } = await train(run);
    expect(phases.map(({ phase }) => phase)).toEqual([...TRAINING_PHASES]);
  });
});
