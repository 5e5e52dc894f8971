/** `log.jsonl`: a JSON object a line, appended. Cut back on resume, so that it goes on as if nothing had happened. */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Brain3DError } from '../base/errors';
import { syncPath } from '../files/atomic-directory';
import type { TrainingPhase } from './phases';

interface Line {
  phase: TrainingPhase;
  /** From 1. */
  epoch: number;
  /** Steps done, this one included. */
  step: number;
  loss: number;
  ms: number;
}

export interface StepLine extends Line {
  event: 'step';
  /** By group. */
  lr: Record<string, number>;
  /** Before clipping. */
  grad_norm: number;
  vis_scale: number;
  tokens_per_s: number;
  /** On the device at the peak; on the CPU the process's peak resident memory. */
  peak_bytes: number;
  /** Digests of the scans' ids with the run's salt. */
  samples: string[];
}

export interface ValidationLine extends Line {
  event: 'validation';
  best_loss: number;
  epochs_without_improvement: number;
}

export type LogLine = StepLine | ValidationLine;

export class TrainingLog {
  readonly #file: FileHandle;
  /** Bytes that are on the disk for sure. */
  #synced: number;
  /** Bytes that are written. */
  #written: number;
  /** What was written since the last sync. */
  #unsynced: Buffer[] = [];
  /** What is not written yet. */
  #pending = Buffer.alloc(0);

  private constructor(file: FileHandle, bytes: number) {
    this.#file = file;
    this.#synced = bytes;
    this.#written = bytes;
  }

  /** Opens or makes the file and cuts it to its first `bytes`. @throws {Brain3DError} BRAIN3D_FORMAT if it is shorter */
  static async open(path: string, bytes: number): Promise<TrainingLog> {
    const file = await open(path, bytes === 0 ? 'w' : 'r+', 0o600);
    try {
      const { size } = await file.stat();
      if (size < bytes) {
        const name = basename(path);
        throw new Brain3DError(
          'BRAIN3D_FORMAT',
          `${name}: expected at least the ${bytes} bytes that the checkpoint knows of, got ${size}; it was changed`,
          { file: name },
        );
      }
      await file.truncate(bytes);
      // Its name as well: `sync` is for what is in it.
      if (bytes === 0) await syncPath(dirname(path));
      return new TrainingLog(file, bytes);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** One after the other: a caller awaits each. A line that cannot be written is tried again with the next one. */
  async append(line: LogLine): Promise<void> {
    this.#pending = Buffer.concat([this.#pending, Buffer.from(`${JSON.stringify(line)}\n`)]);
    await this.#write();
  }

  /** Has everything on the disk; gives the length. */
  async sync(): Promise<number> {
    await this.#write();
    try {
      await this.#file.sync();
    } catch (error) {
      // Nobody knows what is there, and a second sync would not say: all of it is written again.
      this.#pending = Buffer.concat(this.#unsynced);
      this.#unsynced = [];
      this.#written = this.#synced;
      throw error;
    }
    this.#unsynced = [];
    this.#synced = this.#written;
    return this.#synced;
  }

  async #write(): Promise<void> {
    while (this.#pending.length > 0) {
      const { bytesWritten } = await this.#file.write(this.#pending, 0, this.#pending.length, this.#written);
      this.#unsynced.push(this.#pending.subarray(0, bytesWritten));
      this.#pending = this.#pending.subarray(bytesWritten);
      this.#written += bytesWritten;
    }
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

/** What stands for a scan in the log: its id cannot be had back without the salt and a list of candidates. */
export function hashId(salt: string, id: string): string {
  return createHash('sha256').update(`${salt}\n${id}`).digest('hex').slice(0, 16);
}
