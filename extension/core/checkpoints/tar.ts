/** Members of a tar archive (POSIX ustar), as PyTorch before 0.1.10 wrote them: plain files with short names. */
import { type ByteSource, bytesOf, PartSource } from './byteSource.js';
import { FormatError } from './weightsError.js';

const BLOCK = 512;
const MOST_MEMBERS = 10_000;

export const isTar = (start: Buffer): boolean =>
  start.length >= BLOCK && start.toString('latin1', 257, 262) === 'ustar';

/** Plain files by name. Throws {@link FormatError}. */
export function readTar(source: ByteSource): Map<string, ByteSource> {
  const found = new Map<string, ByteSource>();
  for (let at = 0; at + BLOCK <= source.size && found.size < MOST_MEMBERS;) {
    const header = bytesOf(source, at, BLOCK);
    if (header.every((byte) => byte === 0)) break;
    const name = text(header, 0, 100).replace(/^\.\//, '');
    const octal = text(header, 124, 12).trim();
    const size = /^[0-7]{1,12}$/.test(octal) ? Number.parseInt(octal, 8) : NaN;
    if (!(at + BLOCK + size <= source.size)) throw new FormatError(`its tar member "${name}" is damaged`);
    const type = String.fromCharCode(header[156]!);
    if (type === '0' || type === '\0') found.set(name, new PartSource(source, at + BLOCK, size));
    at += BLOCK + Math.ceil(size / BLOCK) * BLOCK;
  }
  return found;
}

function text(header: Buffer, start: number, length: number): string {
  const end = header.indexOf(0, start);
  return header.toString('latin1', start, end < 0 ? start + length : Math.min(end, start + length));
}
