/** The order of calls, and what happens to one that need not or must not wait. */
import { getEventListeners } from 'node:events';
import { CallQueue } from '../../../lib/base/call-queue';

/** A call that ends when it is told to. */
function held(): { work: () => Promise<void>; end: () => void; hasBegun: () => boolean } {
  let end!: () => void;
  let hasBegun = false;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  const work = (): Promise<void> => {
    hasBegun = true;
    return ended;
  };
  return { work, end, hasBegun: () => hasBegun };
}

const turns = async (count = 10): Promise<void> => {
  for (let i = 0; i < count; i++) await Promise.resolve();
};

test('runs one call at a time, in the order in which they came', async () => {
  const queue = new CallQueue(100);
  const order: number[] = [];
  let running = 0;
  const calls = Array.from({ length: 101 }, (_, index) =>
    queue.run(undefined, async () => {
      expect(++running).toBe(1);
      await turns(index % 3);
      order.push(index);
      running--;
    }),
  );
  await Promise.all(calls);
  expect(order).toEqual([...order].sort((a, b) => a - b));
  expect(order).toHaveLength(101);
});

test('does not let a newcomer overtake at the moment one ends', async () => {
  const queue = new CallQueue(8);
  const order: string[] = [];
  const first = held();
  const running = queue.run(undefined, first.work);
  const waiting = queue.run(undefined, async () => void order.push('waiting'));
  first.end();
  await running;
  await Promise.all([waiting, queue.run(undefined, async () => void order.push('newcomer'))]);
  expect(order).toEqual(['waiting', 'newcomer']);
});

test('refuses what is beyond its limit at once, and takes more when there is room again', async () => {
  const queue = new CallQueue(2);
  const first = held();
  const taken = [first.work, turns, turns].map((work) => queue.run(undefined, () => work()));
  await expect(queue.run(undefined, turns)).rejects.toMatchObject({
    name: 'Brain3DError',
    code: 'BRAIN3D_BUSY',
    message: expect.stringMatching(/expected at most 2 calls waiting .* maxQueue/),
  });
  first.end();
  await Promise.all(taken);
  await queue.run(undefined, turns);
});

test('with a limit of 0 refuses while a call runs', async () => {
  const queue = new CallQueue(0);
  const first = held();
  const running = queue.run(undefined, first.work);
  await expect(queue.run(undefined, turns)).rejects.toMatchObject({ code: 'BRAIN3D_BUSY' });
  first.end();
  await running;
  await queue.run(undefined, turns);
});

test('gives up a waiting place at once when aborted, and the others keep theirs', async () => {
  const queue = new CallQueue(3);
  const first = held();
  const running = queue.run(undefined, first.work);
  const controllers = [0, 1, 2].map(() => new AbortController());
  const done: number[] = [];
  const calls = controllers.map(({ signal }, index) => queue.run(signal, async () => void done.push(index)));
  const reason = new Error('not needed any more');
  controllers[1]?.abort(reason);
  await expect(calls[1]).rejects.toBe(reason); // while the first still runs
  const newcomer = held();
  const last = queue.run(undefined, newcomer.work); // the place is free again
  first.end();
  await Promise.all([running, calls[0], calls[2]]);
  newcomer.end();
  await last;
  expect(done).toEqual([0, 2]);
  for (const { signal } of controllers) expect(getEventListeners(signal, 'abort')).toEqual([]);
});

test('leaves an abort after the beginning to the work, and goes on after a failure', async () => {
  const queue = new CallQueue(4);
  const controller = new AbortController();
  const first = held();
  const running = queue.run(controller.signal, first.work);
  controller.abort();
  first.end();
  await running; // the work took no notice
  await expect(queue.run(controller.signal, turns)).rejects.toMatchObject({ name: 'AbortError' });
  await expect(queue.run(undefined, () => Promise.reject(new Error('of the work')))).rejects.toThrow('of the work');
  await queue.run(undefined, turns);
});
