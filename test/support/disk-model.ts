/**
 * Models the contents of a disk from fault-shim.c's log: what programs see, and what would be left after a power loss.
 */
import { chmodSync, constants, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';

/** A call that changed something. */
export interface Change {
  kind: string;
  fd: number;
  /** Flags, offset or length. */
  number: number;
  data: Buffer;
  paths: [string, string];
}

interface File {
  type: 'file';
  data: Buffer;
  /** The bytes as of the last fsync. */
  durable: Buffer;
}
interface Link {
  type: 'link';
  target: string;
}
interface Folder {
  type: 'folder';
  entries: Map<string, Node>;
  /** The entries at the folder's last fsync and after each change since; the last state is the present one. */
  states: Map<string, Node>[];
}
type Node = File | Link | Folder;

/**
 * The contents that a power loss leaves. A folder keeps the first of the changes since its fsync, because a file
 * system's journal is in order. A file may keep any of its bytes.
 */
export interface Loss {
  entriesOf: (folder: Readonly<Folder>) => Map<string, Node>;
  bytesOf: (file: Readonly<File>) => Buffer;
}

const latest = ({ entries }: Readonly<Folder>) => entries;
const synced = ({ states }: Readonly<Folder>) => states[0] as Map<string, Node>;

export const LOSSES = {
  nothing: { entriesOf: latest, bytesOf: ({ data }) => data },
  bytes: { entriesOf: latest, bytesOf: ({ durable }) => durable },
  entries: { entriesOf: synced, bytesOf: ({ data }) => data },
  everything: { entriesOf: synced, bytesOf: ({ durable }) => durable },
} as const satisfies Record<string, Loss>;

/** Makes a loss between nothing and everything, for each file and folder on its own. @param uniform in [0, 1) */
export function someLoss(uniform: () => number): Loss {
  const pick = <T>(of: readonly T[]): T => of[Math.floor(uniform() * of.length)] as T;
  return {
    entriesOf: ({ states }) => pick(states),
    bytesOf: ({ data, durable }) => {
      const kept = commonLength(data, durable);
      const cut = data.subarray(0, kept + Math.floor(uniform() * (data.length - kept)));
      // The new length may be on the disk without the new bytes.
      const empty = Buffer.concat([data.subarray(0, kept), Buffer.alloc(data.length - kept)]);
      return pick([data, durable, cut, empty]);
    },
  };
}

/** Returns the number of equal bytes at the beginning. */
function commonLength(a: Buffer, b: Buffer): number {
  const difference = a.findIndex((byte, at) => byte !== b[at]);
  return difference < 0 ? a.length : difference;
}

export function readChanges(log: Buffer): Change[] {
  const changes: Change[] = [];
  for (let at = 0; at < log.length; ) {
    const end = log.indexOf('\n', at);
    const [kind, fd, number, count, a, b] = log.toString('utf8', at, end).split('\t') as [string, ...string[]];
    const from = end + 1;
    at = from + Number(count);
    const data = log.subarray(from, at);
    changes.push({ kind, fd: Number(fd), number: Number(number), data, paths: [a ?? '', b ?? ''] });
  }
  return changes;
}

export class DiskModel {
  readonly #root: string;
  readonly #top: Folder = folder();
  /** The open files, by descriptor. */
  readonly #open = new Map<number, Node>();
  /** The last mark. */
  mark: string | null = null;

  /** @param root folder that was empty when the log began */
  constructor(root: string) {
    this.#root = root;
  }

  apply({ kind, fd, number, data, paths: [a, b] }: Change): void {
    const changes: Record<string, () => void> = {
      o: () => this.#opened(fd, number, a),
      w: () => this.#resize(fd, (old) => overwritten(old, number, data)),
      t: () => this.#resize(fd, (old) => overwritten(old.subarray(0, number), number, Buffer.alloc(0))),
      s: () => sync(this.#open.get(fd) as Node),
      c: () => void this.#open.delete(fd),
      n: () => this.#move(a, b),
      m: () => this.#put(a, folder()),
      l: () => this.#put(b, { type: 'link', target: a }),
      u: () => this.#change(a, (entries, name) => void entries.delete(name)),
      r: () => this.#change(a, (entries, name) => void entries.delete(name)),
      '#': () => {
        this.mark = a;
      },
    };
    (changes[kind] as () => void)();
  }

  /** Writes into the empty folder `out` what `loss` leaves. */
  rebuild(out: string, loss: Loss): void {
    write(out, this.#top, loss);
  }

  #opened(fd: number, flags: number, path: string): void {
    let node = this.#find(path);
    if (node === null) {
      node = { type: 'file', data: Buffer.alloc(0), durable: Buffer.alloc(0) };
      this.#put(path, node);
    } else if (node.type === 'file' && flags & constants.O_TRUNC) node.data = Buffer.alloc(0);
    this.#open.set(fd, node);
  }

  #resize(fd: number, change: (old: Buffer) => Buffer): void {
    const file = this.#open.get(fd) as File;
    file.data = change(file.data);
  }

  #put(path: string, node: Node): void {
    this.#change(path, (entries, name) => void entries.set(name, node));
  }

  #move(from: string, to: string): void {
    const node = this.#folder(from).entries.get(baseName(from)) as Node;
    // A move within one folder is one change.
    if (this.#folder(from) !== this.#folder(to)) throw new Error(`a file moved between folders: ${to}`);
    this.#change(to, (entries, name) => {
      entries.delete(baseName(from));
      entries.set(name, node);
    });
  }

  #change(path: string, change: (entries: Map<string, Node>, name: string) => void): void {
    const parent = this.#folder(path);
    parent.entries = new Map(parent.entries);
    change(parent.entries, baseName(path));
    parent.states.push(parent.entries);
  }

  #folder(path: string): Folder {
    return this.#find(dirname(path)) as Folder;
  }

  #find(path: string): Node | null {
    const names = relative(this.#root, path).split(sep);
    return names.filter((name) => name !== '').reduce<Node | null>((node, name) => this.#step(node, name), this.#top);
  }

  #step(node: Node | null, name: string): Node | null {
    const inner = node?.type === 'folder' ? (node.entries.get(name) ?? null) : null;
    return inner?.type === 'link' ? this.#step(node, inner.target) : inner;
  }
}

function folder(): Folder {
  const entries = new Map<string, Node>();
  return { type: 'folder', entries, states: [entries] };
}

function sync(node: Node): void {
  if (node.type === 'file') node.durable = node.data;
  if (node.type === 'folder') node.states = [node.entries];
}

/** The result is a copy, since the old bytes may be the durable ones. */
function overwritten(old: Buffer, at: number, data: Buffer): Buffer {
  const bytes = Buffer.alloc(Math.max(old.length, at + data.length));
  old.copy(bytes);
  data.copy(bytes, at);
  return bytes;
}

function write(path: string, node: Node, loss: Loss): void {
  if (node.type === 'link') symlinkSync(node.target, path);
  else if (node.type === 'file') writeFileSync(path, loss.bytesOf(node), { mode: 0o600 });
  else {
    mkdirSync(path, { recursive: true });
    chmodSync(path, 0o700);
    for (const [name, inner] of loss.entriesOf(node)) write(join(path, name), inner, loss);
  }
}

function baseName(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
