/** A model in a process of its own, which is started again after it has died. */

import type { OnProgress } from '../base/progress';
import type { Checkpoint } from '../checkpoint/checkpoint';
import type { NativeModelInfo } from '../native/surface';
import { packSource } from '../volume/volume';
import type { GenerateOptions } from './decoding';
import type { EncodeCall, Encoding, Engine, EngineSpec, Listeners, Score, VolumeSource } from './engine';
import { type Asking, ModelProcess } from './model-process';
import type { Report } from './report';

/** The child's description of the model it has loaded. */
export interface Loaded {
  checkpoint: Checkpoint;
  info: NativeModelInfo;
  warning: string | null;
}

export class IsolatedEngine implements Engine {
  readonly checkpoint: Checkpoint;
  readonly info: Readonly<NativeModelInfo>;
  readonly warning: string | null;
  readonly #spec: EngineSpec;
  readonly #warn: (message: string) => void;
  #process: ModelProcess;

  private constructor(
    spec: EngineSpec,
    process: ModelProcess,
    { checkpoint, info, warning }: Loaded,
    warn: (message: string) => void,
  ) {
    // A restarted child gets the device and the dtype that were chosen first; `auto` might choose others.
    this.#spec = { ...spec, model: checkpoint.dir, device: info.device, dtype: info.dtype };
    this.#process = process;
    this.#warn = warn;
    this.checkpoint = checkpoint;
    this.info = Object.freeze(info);
    this.warning = warning;
  }

  /** @param warn is told when the process had to be started again */
  static async load(
    spec: EngineSpec,
    signal: AbortSignal | undefined,
    onProgress: OnProgress | undefined,
    warn: (message: string) => void,
  ): Promise<IsolatedEngine> {
    const { process, loaded } = await start(spec, { signal, onProgress });
    return new IsolatedEngine(spec, process, loaded, warn);
  }

  get pid(): number | null {
    return this.#process.pid;
  }

  async generate(sources: VolumeSource[], options: GenerateOptions, listeners: Listeners): Promise<Report[]> {
    const { signal, ...plain } = options;
    const args = [sources.map(packSource), plain, listeners.onChunk !== undefined];
    return (await this.#ask('generate', args, { signal, ...listeners })) as Report[];
  }

  async encode(source: VolumeSource, { signal, ...options }: EncodeCall): Promise<Encoding> {
    return (await this.#ask('encode', [packSource(source), options], { signal })) as Encoding;
  }

  async score(source: VolumeSource, report: string, { signal, ...options }: EncodeCall): Promise<Score> {
    return (await this.#ask('score', [packSource(source), report, options], { signal })) as Score;
  }

  async dispose(): Promise<void> {
    await this.#process.end();
  }

  async #ask(method: string, args: unknown[], asking: Asking): Promise<unknown> {
    const { lost } = this.#process;
    if (lost !== null) {
      const { process } = await start(this.#spec, { signal: asking.signal });
      this.#process = process;
      this.#warn(`the model was loaded again: ${lost.message}`);
    }
    return this.#process.ask(method, args, asking);
  }
}

async function start(spec: EngineSpec, asking: Asking): Promise<{ process: ModelProcess; loaded: Loaded }> {
  asking.signal?.throwIfAborted();
  const process = new ModelProcess();
  try {
    return { process, loaded: (await process.ask('load', [spec], asking)) as Loaded };
  } catch (error) {
    await process.end();
    throw error;
  }
}
