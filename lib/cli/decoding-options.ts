/** How tokens are chosen: options of every command that generates. */
import { type Command, Option } from 'commander';
import type { GenerateOptions } from '../model/decoding';
import { decimal, integer } from './options';

export const DECODING_FLAGS = [
  'maxNewTokens',
  'minNewTokens',
  'temperature',
  'topP',
  'topK',
  'repetitionPenalty',
  'noRepeatNgramSize',
  'greedy',
] as const;
export type DecodingFlags = Pick<GenerateOptions, (typeof DECODING_FLAGS)[number]>;

export function addDecodingOptions(command: Command): Command {
  return command
    .option('--max-new-tokens <n>', 'longest text, in tokens (default: 256)', integer)
    .option('--min-new-tokens <n>', 'shortest text, in tokens (default: 0)', integer)
    .option('--temperature <t>', 'lower is more predictable (default: 0.1)', decimal)
    .option('--top-p <p>', 'sample from the smallest set of this probability (default: 0.9)', decimal)
    .option('--top-k <k>', "sample from the k likeliest; 0 is all (default: the language model's)", integer)
    .option('--repetition-penalty <r>', 'above 1 discourages tokens already written (default: 1.2)', decimal)
    .addOption(noRepeatNgramSize())
    .option('--greedy', 'always the likeliest token: no sampling');
}

function noRepeatNgramSize(): Option {
  const option = new Option('--no-repeat-ngram-size <n>', 'no sequence of n tokens twice; 0 is off (default: 3)');
  // Commander takes any `--no-...` for the denial of a flag.
  option.negate = false;
  return option.argParser(integer);
}
