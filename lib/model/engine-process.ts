/**
 * The process of an isolated model: it loads the model once, answers questions, and ends with the process that started
 * it.
 */

import { packError } from '../base/packed-error';
import { type PackedSource, unpackSource } from '../volume/volume';
import type { GenerateOptions } from './decoding';
import type { EncodeCall, Engine, EngineSpec, Listeners } from './engine';
import type { Loaded } from './isolated-engine';
import { LocalEngine } from './local-engine';
import type { Answer, Question } from './model-process';

type Method = (args: never, signal: AbortSignal, listeners: Required<Listeners>) => Promise<unknown>;

let engine: Engine;

const METHODS: Record<string, Method> = {
  load: async ([spec]: [EngineSpec], signal, { onProgress }): Promise<Loaded> => {
    engine = await LocalEngine.load(spec, signal, onProgress);
    const { checkpoint, info, warning } = engine;
    return { checkpoint, info, warning };
  },
  generate: ([sources, options, isStream]: [PackedSource[], GenerateOptions, boolean], signal, listeners) => {
    const { onProgress, onChunk } = listeners;
    return engine.generate(
      sources.map(unpackSource),
      { ...options, signal },
      isStream ? { onProgress, onChunk } : { onProgress },
    );
  },
  encode: ([source, options]: [PackedSource, EncodeCall], signal) =>
    engine.encode(unpackSource(source), { ...options, signal }),
  score: ([source, report, options]: [PackedSource, string, EncodeCall], signal) =>
    engine.score(unpackSource(source), report, { ...options, signal }),
};

const inFlight = new Map<number, { controller: AbortController; done: Promise<void> }>();

async function answer(id: number, method: string, args: unknown[], signal: AbortSignal): Promise<void> {
  const listeners: Required<Listeners> = {
    onProgress: (progress) => send({ id, progress }),
    onChunk: (chunk) => send({ id, chunk }),
  };
  try {
    const result = await (METHODS[method] as Method)(args as never, signal, listeners);
    send({ id, result });
  } catch (error) {
    send({ id, failure: packError(error) });
  }
  inFlight.delete(id);
}

function send(message: Answer): void {
  // Without a parent the answer has no receiver. The `disconnect` handler ends this process.
  process.send?.(message, undefined, undefined, () => undefined);
}

process.on('message', (question: Question) => {
  if ('abort' in question) {
    inFlight.get(question.id)?.controller.abort();
    return;
  }
  const controller = new AbortController();
  const done = answer(question.id, question.method, question.args, controller.signal);
  inFlight.set(question.id, { controller, done });
});

/**
 * The parent has let go of this process or has died. Running work is stopped first, since it may have programs and
 * files of its own.
 */
process.once('disconnect', async () => {
  for (const { controller } of inFlight.values()) controller.abort();
  await Promise.all([...inFlight.values()].map(({ done }) => done));
  process.exit(0);
});

// Ctrl-C reaches every process of a terminal. The parent decides what it means.
process.on('SIGINT', () => undefined);
