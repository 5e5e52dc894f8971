/**
 * Appends `log.jsonl`, with one JSON object on a line. On resume the file is cut back, so that it continues as if
 * nothing had happened.
 */
import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { Brain3DError } from '../base/errors';
import { syncPath } from '../files/atomic-directory';
import type { TrainingPhase } from './phases';

interface Line {
  phase: TrainingPhase;
  /** The epoch, from 1. */
  epoch: number;
  /** The number of steps done, this one included. */
  step: number;
  loss: number;
  ms: number;
}

export interface StepLine extends Line {
  event: 'step';
  /** The learning rates by group. */
  lr: Record<string, number>;
  /** The norm before clipping. */
  grad_norm: number;
  vis_scale: number;
  tokens_per_s: number;
  /** The peak memory on the device; on the CPU the process's peak resident memory. */
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
  /** The number of bytes that are synced to the disk. */
  #synced: number;
  /** The number of bytes that are written. */
  #written: number;
  /** The bytes that were written since the last sync. */
  #unsynced: Buffer[] = [];
  /** The bytes that are not written yet. */
  #pending = Buffer.alloc(0);

  private constructor(file: FileHandle, bytes: number) {
    this.#file = file;
    this.#synced = bytes;
    this.#written = bytes;
  }

  /**
   * Opens or makes the file and cuts it to its first `bytes`. @throws {Brain3DError} BRAIN3D_FORMAT if it is shorter
   */
  static async open(path: string, bytes: number): Promise<TrainingLog> {
    const file = await open(path, bytes === 0 ? 'w' : 'r+', 0o600);
    try {
      const { size } = await file.stat();
      if (size < bytes) {
        const name = basename(path);
        throw new Brain3DError(
          'BRAIN3D_FORMAT',
          `${name}: expected at least the ${bytes} bytes that the saved state knows of, got ${size}; it was changed`,
          { file: name },
        );
      }
      await file.truncate(bytes);
      // The new name must be on the disk too; `sync` writes only the contents.
      if (bytes === 0) await syncPath(dirname(path));
      return new TrainingLog(file, bytes);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Appends a line. A caller must await each call before the next. A line that cannot be written is tried again with
   * the next one.
   */
  async append(line: LogLine): Promise<void> {
    this.#pending = Buffer.concat([this.#pending, Buffer.from(`${JSON.stringify(line)}\n`)]);
    await this.#write();
  }

  /** Syncs everything to the disk and returns the length. */
  async sync(): Promise<number> {
    await this.#write();
    try {
      await this.#file.sync();
    } catch (error) {
      // After a failed sync the contents are unknown, and a second sync would not report it: everything is written
      // again.
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

/** Returns the name of a scan in the log. Its id cannot be recovered without the salt and a list of candidates. */
export function hashId(salt: string, id: string): string {
  return createHash('sha256').update(`${salt}\n${id}`).digest('hex').slice(0, 16);
}
