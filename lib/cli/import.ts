/** The command `brain3d import`, which makes a checkpoint from the files of the paper's authors. */
import type { Command } from 'commander';
import { importCheckpoint } from '../checkpoint/create';
import { note } from './output';

const DESCRIPTION =
  "Makes a checkpoint of the recipe braingemma3d from the authors' projector_vis_scale.pt and, where there is one, " +
  'lora_adapters/. Nothing in these files is executed.';

interface ImportFlags {
  from: string;
  vision: string;
  language: string;
  out: string;
}

export function addImport(program: Command, signal: AbortSignal): void {
  program
    .command('import')
    .summary("make a checkpoint from the authors' files")
    .description(DESCRIPTION)
    .requiredOption('--from <dir>', 'directory that holds projector_vis_scale.pt')
    .requiredOption('--vision <dir>', 'SigLIP directory as published')
    .requiredOption('--language <dir>', 'Gemma 3 or Qwen 2.5 directory as published')
    .requiredOption('--out <dir>', 'directory to make')
    .addHelpText(
      'after',
      '\nExample:\n  brain3d import --from phase2b --vision medsiglip --language medgemma-4b --out checkpoint',
    )
    .action(async ({ from, vision, language, out }: ImportFlags) => {
      const { phase, hasAdapter } = await importCheckpoint({ from, vision, language, out, signal });
      note(`wrote ${out} (${phase}, ${hasAdapter ? 'with' : 'without'} an adapter)`);
    });
}
