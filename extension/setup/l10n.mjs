/** `npm run l10n`: writes extension/l10n/bundle.l10n.json, the texts of the extension host that a translation starts from. */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..', '..');

/** Every text given to `vscode.l10n.t`, in the order of the alphabet. Texts are plain literals in single quotes. */
export function texts() {
  const found = ['extension/features', 'extension/host'].flatMap((folder) =>
    readdirSync(path.join(root, folder), { recursive: true })
      .map((name) => path.join(root, folder, String(name)))
      .filter((name) => name.endsWith('.ts'))
      .flatMap((name) => {
        const source = readFileSync(name, 'utf8');
        const calls = source.matchAll(/(?:l10n\.t|\bt)\(\s*(?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")/g);
        return [...calls].map(([, single, double]) => (single ?? double).replaceAll(/\\(.)/g, '$1'));
      }),
  );
  return [...new Set(found)].sort((a, b) => (a < b ? -1 : 1));
}

/** The bundle as it should stand. */
export function bundle() {
  return `${JSON.stringify(Object.fromEntries(texts().map((text) => [text, text])), null, 2)}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  mkdirSync(path.join(root, 'extension', 'l10n'), { recursive: true });
  writeFileSync(path.join(root, 'extension', 'l10n', 'bundle.l10n.json'), bundle());
}
