import { montage, preprocess, Volume } from 'brain3d';
import { type DecodedPng, decodePng } from '../../support/png';

const TILE = 256;
const SIDE = 32;

/** RAS voxels of 1 mm, dim tissue with a bright ball at (d, h, w). */
function phantom(centre: [number, number, number]): Volume {
  const voxels = new Float32Array(SIDE ** 3);
  for (let d = 0; d < SIDE; d++) {
    for (let h = 0; h < SIDE; h++) {
      for (let w = 0; w < SIDE; w++) {
        const distance = Math.hypot(d - centre[0], h - centre[1], w - centre[2]);
        voxels[(d * SIDE + h) * SIDE + w] = distance < 5 ? 100 : 10 + ((d + h + w) % 3);
      }
    }
  }
  return Volume.fromArray(voxels, [SIDE, SIDE, SIDE], [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]);
}

/** Mean position of the bright pixels of a tile, from its top left; letters lie at the edges and are left out. */
function brightCentre(png: DecodedPng, tile: number): { x: number; y: number; count: number } {
  const [left, top] = [(tile % 4) * TILE, Math.floor(tile / 4) * TILE];
  const sum = { x: 0, y: 0, count: 0 };
  for (let y = 34; y < TILE - 34; y++) {
    for (let x = 34; x < TILE - 34; x++) {
      if ((png.data[(top + y) * png.width + left + x] as number) < 200) continue;
      sum.x += x;
      sum.y += y;
      sum.count++;
    }
  }
  return { x: sum.x / sum.count, y: sum.y / sum.count, count: sum.count };
}

const render = async (volume: Volume) => decodePng(await montage(await preprocess(volume, { skullStrip: 'none' })));
const CORONAL = 14;
const SAGITTAL = 15;

describe('the montage', () => {
  it("shows the patient's right on the image's left, anterior and superior up", async () => {
    // Right (w high), anterior (h high), superior (d high).
    const png = await render(phantom([22, 22, 22]));
    const axial = Array.from({ length: 14 }, (_, tile) => brightCentre(png, tile)).filter(({ count }) => count > 50);
    expect(axial.length).toBeGreaterThan(2);
    for (const { x, y } of axial) {
      expect(x).toBeLessThan(TILE * 0.4);
      expect(y).toBeLessThan(TILE * 0.4);
    }
  });

  it("shows the patient's left on the image's right, posterior down", async () => {
    const png = await render(phantom([16, 10, 10]));
    const { x, y } = brightCentre(png, 7);
    expect(x).toBeGreaterThan(TILE * 0.6);
    expect(y).toBeGreaterThan(TILE * 0.6);
  });

  it('follows the same convention in the coronal slice and faces left in the sagittal one', async () => {
    const coronal = brightCentre(await render(phantom([22, 16, 22])), CORONAL);
    expect([coronal.x < TILE * 0.4, coronal.y < TILE * 0.4]).toEqual([true, true]);
    const sagittal = brightCentre(await render(phantom([22, 22, 16])), SAGITTAL);
    expect([sagittal.x < TILE * 0.4, sagittal.y < TILE * 0.4]).toEqual([true, true]);
  });

  it('carries its side letters and its convention', async () => {
    const png = await render(phantom([22, 22, 22]));
    expect(png).toMatchObject({ width: 1024, height: 1054, channels: 1 });
    expect(png.text.Description).toBe("R L: PATIENT'S RIGHT / LEFT - RADIOLOGICAL CONVENTION - RESEARCH USE ONLY");
    expect(glyphAt(png, 6, 117)).toEqual(['####.', '#...#', '#...#', '####.', '#.#..', '#..#.', '#...#']);
    expect(glyphAt(png, 235, 117)).toEqual(['#....', '#....', '#....', '#....', '#....', '#....', '#####']);
  });

  it('keeps the proportions of a volume whose slices are thick', async () => {
    // A ball of 20 mm radius in 16 slices of 4 mm.
    const voxels = new Float32Array(16 * 64 * 64);
    for (let index = 0; index < voxels.length; index++) {
      const [d, h, w] = [Math.floor(index / 4096), Math.floor(index / 64) % 64, index % 64];
      voxels[index] = Math.hypot(4 * (d - 7.5), h - 31.5, w - 31.5) < 20 ? 100 : d % 3;
    }
    const affine = [1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 4, 0, 0, 0, 0, 1];
    const png = await render(Volume.fromArray(voxels, [16, 64, 64], affine));
    const lit = (x: number, y: number) => (png.data[(3 * TILE + y) * png.width + 2 * TILE + x] as number) > 127;
    const inner = Array.from({ length: TILE - 68 }, (_, index) => index + 34);
    const across = inner.filter((x) => lit(x, TILE / 2)).length;
    const down = inner.filter((y) => lit(TILE / 2, y)).length;
    expect(across).toBeGreaterThan(140);
    expect(Math.abs(down / across - 1)).toBeLessThan(0.1);
  });

  it('rejects a volume as read, saying what to do', async () => {
    await expect(montage(phantom([16, 16, 16]))).rejects.toThrow(
      new RangeError('montage: expected a preprocessed volume, got one as read; call preprocess(volume) first'),
    );
  });
});

/** A letter of scale 3 at (x, y), one character a pixel of the font. */
function glyphAt(png: DecodedPng, x: number, y: number): string[] {
  return Array.from({ length: 7 }, (_, row) =>
    Array.from({ length: 5 }, (_, column) =>
      png.data[(y + row * 3 + 1) * png.width + x + column * 3 + 1] === 255 ? '#' : '.',
    ).join(''),
  );
}
