/** `adapter_config.json` as PEFT writes it, so that the adapter can be used there as well. */
import { basename, join } from 'node:path';
import { readJsonFile } from '../checkpoint/backbone';
import { ADAPTER_DIR, type Checkpoint } from '../checkpoint/checkpoint';
import type { LoraSettings } from './common-settings';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/** Of a fresh adapter; the fields of PEFT 0.21 with its defaults, in its order. */
export function newAdapterConfig(languageDir: string, lora: LoraSettings): Record<string, unknown> {
  return {
    alora_invocation_tokens: null,
    alpha_pattern: {},
    arrow_config: null,
    auto_mapping: null,
    // A name, not a path: where the model lies is nobody's business, and not what PEFT needs it for.
    base_model_name_or_path: basename(languageDir),
    bias: 'none',
    corda_config: null,
    ensure_weight_tying: false,
    eva_config: null,
    exclude_modules: null,
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    layer_replication: null,
    layers_pattern: null,
    layers_to_transform: null,
    loftq_config: {},
    lora_alpha: lora.alpha,
    lora_bias: false,
    lora_dropout: lora.dropout,
    megatron_config: null,
    megatron_core: 'megatron.core',
    modules_to_save: null,
    peft_type: 'LORA',
    qalora_group_size: 16,
    r: lora.rank,
    rank_pattern: {},
    revision: null,
    target_modules: [...lora.targetModules].sort(),
    target_parameters: null,
    task_type: 'CAUSAL_LM',
    trainable_token_indices: null,
    use_dora: false,
    use_qalora: false,
    use_rslora: false,
  };
}

/** What `native/weights/lora_config` reads of an adapter that it accepts; the rest has no effect on what it computes. */
interface ReadAdapterConfig {
  r: number;
  lora_alpha: number;
  use_rslora?: boolean | null;
  target_modules: string | string[];
  exclude_modules?: string | string[] | null;
  layers_to_transform?: number | number[] | null;
}

/**
 * Of an adapter that is trained further: it keeps its rank, alpha and modules, and nothing else. Every other field says
 * what is true of the result, W + scaling * B A over the backbone as it is. `modules` are those it adapts:
 * `layers.0.self_attn.q_proj`.
 */
export async function continuedAdapterConfig(
  { dir, language }: Checkpoint,
  dropout: number,
  modules: readonly string[],
): Promise<Record<string, unknown>> {
  const path = join(dir, ADAPTER_DIR, ADAPTER_CONFIG);
  const read = (await readJsonFile(path)) as ReadAdapterConfig;
  const targetModules = selectsByNames(read) ? (read.target_modules as string[]) : [...modules];
  return {
    ...newAdapterConfig(language.dir, { rank: read.r, alpha: read.lora_alpha, dropout, targetModules }),
    use_rslora: read.use_rslora === true,
  };
}

/** Whether names such as `q_proj` alone say which modules are adapted, in every layer and whatever the model's class. */
function selectsByNames({ target_modules, exclude_modules, layers_to_transform }: ReadAdapterConfig): boolean {
  const isUnset = [exclude_modules, layers_to_transform].every((value) => [value ?? []].flat().length === 0);
  return isUnset && Array.isArray(target_modules) && target_modules.every((name) => /^\w+$/.test(name));
}
