/** A field of the recipe is never lost on its way: to the disk and back, to the addon, into the keys of pooled tokens. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { RECIPES, readCheckpoint } from 'brain3d';
import { type Checkpoint, writeCheckpoint } from '../../../dist/checkpoint/checkpoint';
import { makeRecipe, type Recipe } from '../../../lib/checkpoint/recipe';
import { encoderRecipe } from '../../../lib/training/features';
import { TINY_MODEL } from '../../support/cli';
import { loadNativeModel } from '../../support/native-model';

let dir: string;
let checkpoint: Checkpoint;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'brain3d-recipe-'));
  checkpoint = await readCheckpoint(TINY_MODEL);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const write = (recipe: Recipe) =>
  writeCheckpoint({ ...checkpoint, dir, recipe, trainedOnSha256: null, phase: 'initialised' });

test.each(RECIPES)('%s is read as it was written', async (name) => {
  const recipe = makeRecipe(name);
  await write(recipe);
  expect((await readCheckpoint(dir)).recipe).toEqual(recipe);
});

test('a field that the file has no place for is refused, not dropped', async () => {
  await expect(write({ ...makeRecipe('paper'), channelOrder: 'last' } as Recipe)).rejects.toThrow(/channel_order/);
});

test('a field that the addon does not know is refused, and so is a recipe without one that it does', async () => {
  const { recipe } = checkpoint;
  await expect(load({ ...recipe, channelOrder: 'last' })).rejects.toThrow(
    new TypeError("unknown field of a recipe 'channelOrder'"),
  );
  const { name: _, lowerPercentile: __, upperPercentile: ___, ...computed } = recipe;
  for (const field of Object.keys(computed)) {
    const { [field as keyof typeof computed]: ____, ...rest } = recipe as typeof computed;
    await expect(load(rest)).rejects.toThrow(TypeError);
  }
});

/** A wrong argument is thrown at the call, before there is a promise. */
async function load(recipe: object): Promise<void> {
  (await loadNativeModel(TINY_MODEL, { recipe })).dispose();
}

test('every field but the name is part of the key of pooled tokens', () => {
  const recipe = makeRecipe('paper');
  const key = (changed: Recipe) => JSON.stringify(encoderRecipe(changed));
  for (const field of Object.keys(recipe) as (keyof Recipe)[]) {
    const other = { ...recipe, [field]: 'another' } as unknown as Recipe;
    expect(key(other) === key(recipe)).toBe(field === 'name');
  }
});
