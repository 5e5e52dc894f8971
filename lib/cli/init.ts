/** The command `brain3d init`, which makes a new checkpoint over two backbones. */
import { type Command, Option } from 'commander';
import { initCheckpoint } from '../checkpoint/create';
import {
  COMPRESSIONS,
  type CompressionName,
  PATCH_EMBEDDINGS,
  type PatchEmbedding,
  RECIPES,
  type RecipeName,
} from '../checkpoint/recipe';
import { addSeed, integer, triple } from './options';
import { note } from './output';

interface InitFlags {
  vision: string;
  language: string;
  out: string;
  recipe?: RecipeName;
  compression?: CompressionName;
  patchEmbedding?: PatchEmbedding;
  seed?: number;
  depthKernel?: number;
  depthStride?: number;
  depthPadding?: number;
  volumeSize?: [number, number, number];
}

export function addInit(program: Command, signal: AbortSignal): void {
  const command = program
    .command('init')
    .summary('make an untrained checkpoint')
    .description('Makes an untrained checkpoint over a vision and a language backbone, which it refers to.')
    .requiredOption('--vision <dir>', 'SigLIP directory as published')
    .requiredOption('--language <dir>', 'Gemma 3 or Qwen 2.5 directory as published')
    .requiredOption('--out <dir>', 'directory to make')
    .addOption(new Option('--recipe <name>', 'default: paper').choices(RECIPES))
    .addOption(new Option('--compression <name>', 'of the visual tokens; default: sequence').choices(COMPRESSIONS))
    .addOption(new Option('--patch-embedding <start>', 'default: inflated').choices(PATCH_EMBEDDINGS))
    .option('--depth-kernel <n>', 'planes of voxels that a patch spans (default: 2; 1 for slices)', integer)
    .option('--depth-stride <n>', 'planes from one patch to the next (default: 1)', integer)
    .option('--depth-padding <n>', 'planes of zeros in front and behind (default: 1; 0 for slices)', integer)
    .option('--volume-size <d,h,w>', 'of a preprocessed volume (default: 64,128,128)', triple);
  addSeed(command, 'of what is drawn at random')
    .addHelpText('after', '\nExample:\n  brain3d init --vision medsiglip --language gemma-3-4b --out checkpoint')
    .action(async (flags: InitFlags) => {
      const { phase } = await initCheckpoint({ ...flags, signal });
      note(`wrote ${flags.out} (${phase})`);
    });
}
