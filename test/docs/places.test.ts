/** Packages, references, links and files that the documents name are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { ROOT } from '../support/child';
import { DOCUMENTS, read } from './documents';

test('docs/dependencies.md names every package with its version', () => {
  const { dependencies, devDependencies } = JSON.parse(read('package.json'));
  const rows = read('docs/dependencies.md').matchAll(/^\| `([^`]+)` \| ([\d.]+) \|/gm);
  expect(Object.fromEntries([...rows].map((row) => [row[1], row[2]]))).toEqual({ ...dependencies, ...devDependencies });
});

test('docs/references.md has exactly the keys that comments use', () => {
  const sources = ['native', 'lib'].flatMap((directory) =>
    readdirSync(join(ROOT, directory), { recursive: true, encoding: 'utf8' })
      .filter((name) => /\.(h|cpp|cu|m?ts)$/.test(name))
      .map((name) => read(join(directory, name))),
  );
  const comments = sources.join('\n').match(/(\/\/|^ ?\/?\*).*$/gm) ?? [];
  const used = comments.join('\n').matchAll(/\[([A-Z][A-Z0-9]{2,})( [^\]\n]*)?\]/g);
  const listed = [...read('docs/references.md').matchAll(/^- \*\*\[(\w+)\]\*\*/gm)].map((match) => match[1]);
  expect(listed).toEqual([...new Set([...used].map((match) => match[1]))].sort());
});

describe('places named in documents', () => {
  const skipped = /^(node_modules|build.*|dist|prebuilds|\.git|\.libtorch|\.demo)$/;
  const markdown = (directory: string): string[] =>
    readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
      const path = join(directory, entry.name);
      if (entry.isDirectory()) return skipped.test(entry.name) ? [] : markdown(path);
      return entry.name.endsWith('.md') ? [path] : [];
    });
  const withoutCode = (text: string) => text.replace(/^```[\s\S]*?^```$/gm, '');
  const anchors = (text: string) =>
    [...withoutCode(text).matchAll(/^#+ (.*)$/gm)].map((heading) =>
      (heading[1] as string)
        .toLowerCase()
        .replace(/[^\w\- ]/g, '')
        .replaceAll(' ', '-'),
    );

  it('links lead somewhere', () => {
    const broken = markdown(ROOT).flatMap((file) => {
      const links = withoutCode(readFileSync(file, 'utf8')).matchAll(/\]\(([^)\s]+)\)/g);
      return [...links].flatMap(([, link]) => {
        const [path, anchor] = (link as string).split('#') as [string, string?];
        if (/^[a-z]+:/.test(path)) return [];
        const target = path === '' ? file : join(dirname(file), path);
        const isThere = existsSync(target) && (!anchor || anchors(readFileSync(target, 'utf8')).includes(anchor));
        return isThere ? [] : [`${relative(ROOT, file)}: ${link}`];
      });
    });
    expect(broken).toEqual([]);
  });

  it('files of the repository exist', () => {
    const named =
      /`((?:native|lib|test|tools|scripts|docs|assets|cmake|third_party|examples|models|bench)\/[\w./-]*)`/g;
    const gone = DOCUMENTS.flatMap((document) =>
      [...read(document).matchAll(named)]
        // `lib/libtorch.so` is LibTorch's.
        .filter(([, path]) => path !== 'lib/libtorch.so' && !existsSync(join(ROOT, path as string)))
        .map(([, path]) => `${basename(document)}: ${path}`),
    );
    expect(gone).toEqual([]);
  });
});
