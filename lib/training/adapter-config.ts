/** Makes `adapter_config.json` as PEFT writes it, so that the adapter can be used there as well. */
import { basename, join } from 'node:path';
import { readJsonFile } from '../checkpoint/backbone';
import { ADAPTER_DIR, type Checkpoint } from '../checkpoint/checkpoint';
import type { LoraSettings } from './common-settings';

export const ADAPTER_CONFIG = 'adapter_config.json';
export const ADAPTER_WEIGHTS = 'adapter_model.safetensors';

/** Makes the configuration of a fresh adapter: the fields of PEFT 0.21 with its defaults, in its order. */
export function newAdapterConfig(languageDir: string, lora: LoraSettings): Record<string, unknown> {
  return {
    alora_invocation_tokens: null,
    alpha_pattern: {},
    arrow_config: null,
    auto_mapping: null,
    // The field holds a name and no path: PEFT does not need the place of the model, which should not be published.
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

/**
 * The fields that `native/weights/lora_config` reads of an adapter that it accepts. The others do not affect what it
 * computes.
 */
interface ReadAdapterConfig {
  r: number;
  lora_alpha: number;
  use_rslora?: boolean | null;
  target_modules: string | string[];
  exclude_modules?: string | string[] | null;
  layers_to_transform?: number | number[] | null;
}

/**
 * Makes the configuration of an adapter that is trained further. It keeps the adapter's rank, alpha and modules, and
 * nothing else. Every other field is true of the result, W + scaling * B A over the unchanged backbone. `modules` are
 * the adapted ones, such as `layers.0.self_attn.q_proj`.
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

/** Whether names such as `q_proj` alone select the adapted modules, in every layer and whatever the model's class. */
function selectsByNames({ target_modules, exclude_modules, layers_to_transform }: ReadAdapterConfig): boolean {
  const isUnset = [exclude_modules, layers_to_transform].every((value) => [value ?? []].flat().length === 0);
  return isUnset && Array.isArray(target_modules) && target_modules.every((name) => /^\w+$/.test(name));
}
