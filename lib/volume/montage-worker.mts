/** Draws a montage and encodes it as PNG. This is an ES module because fast-png is one. */
import { parentPort, workerData } from 'node:worker_threads';
import { encode } from 'fast-png';
import { CAPTION, drawMontage, type MontageInput } from './montage-slices.js';

const picture = drawMontage(workerData as MontageInput);
parentPort?.postMessage(encode({ ...picture, depth: 8, channels: 1, text: { Description: CAPTION } }));
