/**
 * Identifies a process and tells whether it still runs. Its number is not enough, since the system gives numbers again.
 */
import { readFileSync, readlinkSync } from 'node:fs';
import { hostname } from 'node:os';

export interface ProcessIdentity {
  host: string;
  pid: number;
  /** When the process began, in the system's ticks since it started; null where the system does not say. */
  started: string | null;
  /** The id of the system's own start; null where the system does not say. */
  boot: string | null;
  /** The namespace of process numbers, of which a container has its own; null where the system does not say. */
  space: string | null;
}

/** Returns the identity of this process. */
export function ownIdentity(): ProcessIdentity {
  return {
    host: hostname(),
    pid: process.pid,
    started: startOf(process.pid),
    boot: readText('/proc/sys/kernel/random/boot_id'),
    space: linkText('/proc/self/ns/pid'),
  };
}

/**
 * Returns `running`, `gone`, or `unseen` for a process of another machine or container, which cannot be seen from here.
 * Fields that are null are not compared.
 */
export function stateOf(other: ProcessIdentity): 'running' | 'gone' | 'unseen' {
  const own = ownIdentity();
  if (other.host !== own.host) return 'unseen';
  // The same machine has restarted, so no earlier process runs.
  if (differ(other.boot, own.boot)) return 'gone';
  if (differ(other.space, own.space)) return 'unseen';
  if (!isRunning(other.pid)) return 'gone';
  return differ(other.started, startOf(other.pid)) ? 'gone' : 'running';
}

function differ(a: string | null, b: string | null): boolean {
  return a !== null && b !== null && a !== b;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** The 22nd field of /proc/PID/stat; the second is a name in parentheses that may hold anything. */
function startOf(pid: number): string | null {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

function readText(path: string): string | null {
  try {
    return readFileSync(path, 'utf8').trim();
  } catch {
    return null;
  }
}

function linkText(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
