/** Ids and texts of Python's tokenizers on the demo model's tokenizer.json (tools/reference/tokenizer_cases.py). */
import { getEventListeners } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { TextStream, Tokenizer } from '../../../dist/tokenizer/tokenizer';
import cases from '../../golden/tokenizer_cases.json';
import { ROOT } from '../../support/child';

let tokenizer: Tokenizer;
beforeAll(async () => {
  tokenizer = await Tokenizer.load(join(ROOT, 'models/tiny/language'));
});
afterAll(() => tokenizer.dispose());

test('encodes and decodes as Python does, id for id', async () => {
  expect(tokenizer.summary.vocabSize).toBe(cases.vocab_size);
  for (const item of cases.cases) {
    expect(await tokenizer.encode(item.text, false)).toEqual(item.ids);
    expect(await tokenizer.encode(item.text, true)).toEqual(item.ids_with_special);
    // The library decodes bytes as JavaScript does, which drops a byte order mark; no report holds one.
    const expected = item.decoded_skip_special.replaceAll('\uFEFF', '');
    expect(await tokenizer.decode(item.ids_with_special)).toBe(expected);
  }
});

test('an abort ends the loading', async () => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const loading = Tokenizer.load(join(ROOT, 'models/tiny/language'), { signal: controller.signal });
  controller.abort(reason);
  await expect(loading).rejects.toBe(reason);
  expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
  await expect(Tokenizer.load('missing', { signal: controller.signal })).rejects.toBe(reason);
});

test('a stream of ids never shows part of a character', async () => {
  const text = 'naïve 脑 🧠 café';
  const stream = new TextStream(tokenizer);
  const pieces: string[] = [];
  for (const id of await tokenizer.encode(text, false)) pieces.push(await stream.push(id));
  pieces.push(await stream.finish());
  expect(pieces.join('')).toBe(text);
  expect(pieces.some((piece) => piece.includes('\uFFFD'))).toBe(false);
  expect(pieces.filter((piece) => piece === '').length).toBeGreaterThan(3); // bytes of the multi-byte characters
});

test('rejects a directory without a tokenizer, and a file that is none', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'brain3d-'));
  await expect(Tokenizer.load(dir)).rejects.toMatchObject({ code: 'BRAIN3D_NOT_FOUND', file: 'tokenizer.json' });
  writeFileSync(join(dir, 'tokenizer.json'), '{"version": "1.0", "model": ');
  await expect(Tokenizer.load(dir)).rejects.toMatchObject({ code: 'BRAIN3D_CONFIG', file: 'tokenizer.json' });
  writeFileSync(join(dir, 'tokenizer.json'), '{"model": {"type": "Nothing"}}');
  await expect(Tokenizer.load(dir)).rejects.toMatchObject({ code: 'BRAIN3D_CONFIG' });
  rmSync(dir, { recursive: true });
});
