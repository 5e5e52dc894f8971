/** Training that goes on where something cannot be written: `onSaveError: 'continue'`. Real disks: disk-faults.test.ts. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Trainer, type TrainerOptions } from 'brain3d';
import { adapterOf, comparable, failure, readLog, train, trainingWorkbench, weightsOf } from '../../support/training';

const { fresh, options } = trainingWorkbench();

const PHASE = 'lora-sft';
const given = (): TrainerOptions => options({ phase: PHASE, epochs: 2, batchSize: 2, saveSteps: 1, warmupSteps: 1 });
/** Steps of an epoch. */
const STEPS = 3;

/** Puts something where the best model of the epoch is to go, that cannot be replaced. */
function blockAt(trainer: Trainer, out: string, epoch: number): void {
  const place = join(out, PHASE, `best-${String(epoch * STEPS).padStart(8, '0')}`);
  trainer.on('step', ({ step }) => {
    if (step !== epoch * STEPS) return;
    mkdirSync(place);
    writeFileSync(join(place, 'in-the-way'), '');
  });
}

function resultOf(out: string) {
  const best = join(out, PHASE, 'best');
  return [
    comparable(readLog(out, PHASE)),
    ...[weightsOf, adapterOf].map((of) => readFileSync(of(best)).toString('base64')),
  ];
}

/** Trains with the models of these epochs blocked; gives what was told. */
async function trainBlocked(parts: TrainerOptions, epochs: number[]) {
  const told: [number, string][] = [];
  const states: number[] = [];
  const running = train({ ...parts, onSaveError: 'continue' }, (trainer) => {
    for (const epoch of epochs) blockAt(trainer, parts.out, epoch);
    trainer.on('state', ({ step }) => states.push(step));
    trainer.on('saveError', ({ phase, step, error }) => {
      expect({ phase, code: error.code, name: error.name }).toEqual({
        phase: PHASE,
        code: 'BRAIN3D_IO',
        name: 'Brain3DError',
      });
      told.push([step, error.message]);
    });
  });
  return {
    error: await running.then(
      () => null,
      (error) => error,
    ),
    told,
    states,
  };
}

test('a best model that cannot be written: no saved state is complete until an epoch is better', async () => {
  const whole = given();
  await train(whole);
  expect(readLog(whole.out, PHASE).filter(({ event }) => event === 'validation')[1].epochs_without_improvement).toBe(0);

  const parts = { ...whole, out: fresh() };
  const { error, told, states } = await trainBlocked(parts, [1]);
  expect(error).toBeNull();
  expect(told).toEqual([
    [
      3,
      expect.stringMatching(
        /^lora-sft: the model of epoch 1 could not be written \(ENOTEMPTY\); the saved state step-00000002 is complete/,
      ),
    ],
    ...[3, 4, 5].map((step) => [
      step,
      expect.stringMatching(
        new RegExp(
          `^lora-sft: the saved state of step ${step} could not be written \\(the model of epoch 1, the best one, .* is lost\\)`,
        ),
      ),
    ]),
  ]);
  expect(states).toEqual([1, 2, 6]);
  expect(resultOf(parts.out)).toEqual(resultOf(whole.out));

  const atEnd = { ...whole, out: fresh() };
  const ended = await trainBlocked(atEnd, [1, 2]);
  expect(ended.error).toMatchObject({
    code: 'BRAIN3D_IO',
    message: expect.stringMatching(
      /the model of epoch 2 could not be written .*step-00000002 is complete, and --resume goes on/,
    ),
  });
  await train({ ...atEnd, resume: true });
  expect(resultOf(atEnd.out)).toEqual(resultOf(whole.out));
});

test('without it, the first failure ends the run', async () => {
  const parts = given();
  const stopped = train(parts, (trainer) => blockAt(trainer, parts.out, 1));
  expect(await failure(stopped)).toMatchObject({ code: 'BRAIN3D_IO', message: expect.stringContaining('ENOTEMPTY') });
});

test('a wrong value is refused by name', () => {
  expect(() => new Trainer({ ...given(), onSaveError: 'ignore' as 'stop' })).toThrow(
    "Trainer: expected stop or continue for onSaveError, got 'ignore'",
  );
});

test('a pause right after a saved state needs no second one', async () => {
  const parts = given();
  await using trainer = new Trainer(parts);
  const states: number[] = [];
  let paused: Promise<void> | undefined;
  trainer.on('state', ({ step }) => states.push(step));
  trainer.on('step', ({ step }) => {
    if (step === 1) paused = trainer.pause();
  });
  const running = trainer.run();
  while (paused === undefined) await new Promise((resolve) => setTimeout(resolve, 5));
  await paused;
  expect(states).toEqual([1]);
  trainer.resume();
  await running;
});
