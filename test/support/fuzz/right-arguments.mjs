/** Makes handles of every kind, and arguments that each function of the addon takes. */
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

const READ_OPTIONS = { volumeIndex: -1, orientation: '', preferAffine: '', overrideOrientation: false };
const AFFINE = [1, 0, 0, -14, 0, 1, 0, -14, 0, 0, 1, -8, 0, 0, 0, 1];
const GEOMETRY = { affine: AFFINE, affineSource: 'sform', datatype: 'float32', warnings: [] };

const files = (model) => {
  const { recipe, backbones } = JSON.parse(readFileSync(join(model, 'brain3d.json'), 'utf8'));
  const camel = (name) => name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase());
  return {
    visionDir: resolve(model, backbones.vision.path),
    languageDir: resolve(model, backbones.language.path),
    weightsFile: join(model, 'brain3d.safetensors'),
    adapterDir: '',
    recipe: Object.fromEntries(Object.entries(recipe).map(([name, item]) => [camel(name), item])),
    device: 'cpu',
    dtype: 'float32',
  };
};

const trainerSpec = (model) => ({
  ...files(model),
  trains: ['projector', 'vis_scale', 'lora'],
  lora: { rank: 2, alpha: 4, targetModules: ['q_proj', 'v_proj'], seed: 1 },
  loraDropout: 0.1,
  optimizer: { beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weightDecay: 0.01 },
});

/** Makes a volume, a model and a trainer; `cached` is a file of a preprocessing cache for the model. */
export async function handlesOf(addon, { model, cached, sample }) {
  const token = () => addon.createCancelToken();
  return {
    volume: await addon.readVolume(sample, READ_OPTIONS, token()),
    input: await addon.openCachedVolume(cached, GEOMETRY, token()),
    model: await addon.loadModel({ ...files(model), mergeAdapter: true }, token(), null),
    trainer: await addon.createTrainer(trainerSpec(model), token(), null),
  };
}

/**
 * Lists the right arguments of each function. With `mayRun` a call ends soon without being cancelled, whatever is
 * spoiled. `trailing` stands behind the token.
 */
export function rightArguments({ volume, input, trainer }, { model, cached, sample }) {
  const { visionWidth, languageWidth, numVisualTokens } = trainer.info();
  const decoding = {
    ...{ maxNewTokens: 4, minNewTokens: 0, greedy: false, temperature: 0.1, topK: 0, topP: 0.9, seed: 1 },
    ...{ repetitionPenalty: 1.2, noRepeatNgramSize: 3, eosTokenIds: [1], padTokenId: 0, cudaGraph: false },
  };
  const samples = [0, 1].map(() => ({
    pooled: new Float32Array(numVisualTokens * visionWidth).fill(0.1),
    ids: Int32Array.of(2, 5, 6, 7, 1),
    labelsBegin: 2,
  }));
  const report = {
    name: 'report',
    samples,
    microBatches: [[0], [1]],
    lossMean: 'tokens',
    logitRows: 8,
    recompute: false,
  };
  const batch = { volumes: [cached, cached], texts: new Float32Array(2 * languageWidth).fill(0.2), textIds: [0, 1] };
  const options = { microBatch: 1, temperature: 0.07, visualEmbedding: 'inference', recompute: true };
  const contrastive = { name: 'contrastive', ...batch, ...options };
  const update = { learningRates: { projector: 1e-4, vis_scale: 1e-4, lora: 1e-4 }, maxGradNorm: 1, seed: 3 };
  return {
    readVolume: { args: [sample, READ_OPTIONS] },
    readVolumeInfo: { args: [sample, READ_OPTIONS], mayRun: true },
    openCachedVolume: { args: [cached, GEOMETRY], mayRun: true },
    volumeFromArray: { args: [new Float32Array(8), [2, 2, 2], AFFINE] },
    writeVolume: { args: [input, 'volume', 'int16'], mayRun: true },
    writeCachedVolume: { args: [input, 'cached'], mayRun: true },
    preprocess: { args: [volume, { size: [16, 28, 28], lowerPercentile: 0.5, upperPercentile: 99.5, mask: null }] },
    loadModel: { args: [{ ...files(model), mergeAdapter: true }], trailing: [null] },
    createTrainer: { args: [trainerSpec(model)], trailing: [null] },
    'model.generate': { args: [[input], [2, 5, 6], decoding], trailing: [null] },
    'model.score': { args: [input, [2, 5, 6], [7, 1]], mayRun: true },
    'model.encode': { args: [input], mayRun: true },
    'trainer.encodePooled': { args: [cached], mayRun: true },
    'trainer.embedTexts': { args: [[[2, 5], [6]]], mayRun: true },
    'trainer.step': { args: [contrastive, update], mayRun: true },
    'trainer.loss': { args: [report], mayRun: true },
    writeTensors: { args: ['tensors', [{ name: 'a', shape: [2], data: new Float32Array(2) }], {}], mayRun: true },
    readTensors: { args: ['tensors'], mayRun: true },
    'trainer.saveState': { args: ['state'], mayRun: true },
    'trainer.loadState': { args: ['state'], mayRun: true },
    'trainer.writeWeights': { args: ['weights'], mayRun: true },
    'trainer.writeAdapter': { args: ['adapter'], mayRun: true },
  };
}
