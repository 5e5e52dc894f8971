/**
 * Decodes a PNG in a process of its own, because fast-png is an ES module, which Jest's module system does not import.
 */
import { execFileSync } from 'node:child_process';

export interface DecodedPng {
  width: number;
  height: number;
  channels: number;
  text: Record<string, string>;
  data: Uint8Array;
}

const SCRIPT = `
import { decode } from 'fast-png';
import { buffer } from 'node:stream/consumers';
const { width, height, channels, text, data } = decode(await buffer(process.stdin), { checkCrc: true });
process.stdout.write(JSON.stringify({ width, height, channels, text }) + '\\n');
process.stdout.write(data);
`;

export function decodePng(png: Uint8Array): DecodedPng {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', SCRIPT], {
    input: png,
    cwd: __dirname,
    maxBuffer: 1 << 28,
  });
  const end = output.indexOf('\n');
  return { ...JSON.parse(output.toString('utf8', 0, end)), data: output.subarray(end + 1) };
}
