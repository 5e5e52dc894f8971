import { existsSync } from 'node:fs';
import { describeBinding, loadAddon } from '../../../lib/native/binding';
import type { NativeLoader } from '../../../lib/native/surface';

it('describes what it would load, without loading', () => {
  const { addonPath, loaderPath, build, candidates, libtorchRoot, problem } = describeBinding();
  expect(problem).toBeNull();
  expect([addonPath, loaderPath, libtorchRoot].map((path) => path !== null && existsSync(path))).toEqual([
    true,
    true,
    true,
  ]);
  expect(build?.torchVersion).toMatch(/^2\.\d+\.\d+$/);
  expect(candidates.at(-1)).toMatchObject({ root: libtorchRoot, unfit: null });
});

it('describes a LibTorch that is wrong instead of throwing', () => {
  const { problem, candidates } = describeBinding({ libtorch: '/nonexistent' });
  expect(problem).toMatchObject({ code: 'BRAIN3D_LIBTORCH' });
  expect(candidates).toMatchObject([{ source: 'option libtorch', place: '/nonexistent', unfit: 'does not exist' }]);
});

it('loads once, and refuses another LibTorch afterwards', () => {
  const addon = loadAddon();
  expect(loadAddon()).toBe(addon);
  expect(loadAddon({ libtorch: describeBinding().libtorchRoot ?? '' })).toBe(addon);
  expect(() => loadAddon({ libtorch: '/elsewhere' })).toThrow(/already loaded .* cannot be replaced by \/elsewhere/);
});

it('rejects relative paths in the loader', () => {
  const loader = require(describeBinding().loaderPath as string) as NativeLoader;
  expect(() => loader.open(['libc10.so'])).toThrow("open: expected an absolute path, got 'libc10.so'");
});

describe('the test environment', () => {
  const caught = (run: () => void): unknown => {
    try {
      run();
    } catch (error) {
      return error;
    }
    throw new Error('nothing was thrown');
  };

  it('knows the errors of the addon, of the engine and of tests alike', () => {
    const loader = require(describeBinding().loaderPath as string) as NativeLoader;
    const native = caught(() => loader.open(['relative']));
    const engine = caught(() => (null as unknown as { x: unknown }).x);
    for (const error of [native, engine, new TypeError('made here')]) {
      expect(error instanceof TypeError && error instanceof Error).toBe(true);
      expect(error instanceof RangeError).toBe(false);
    }
  });

  it('does not take any error for one of a subclass', () => {
    class Special extends Error {}
    expect(caught(() => JSON.parse('{')) instanceof Special).toBe(false);
    expect(new Special('one') instanceof Error).toBe(true);
  });
});
