/** Hostile and unusual checkpoints: each gets one sentence, nothing runs, and memory stays near the file's size. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { openCheckpoint } from '../../extension/core/checkpoints/open.js';
import { WeightsError } from '../../extension/core/checkpoints/weightsError.js';
import { valuesOf } from './values.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-hostile-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'x.pt');

const latin = (text: string): Buffer => Buffer.from(text, 'latin1');
const pickle = (body: string): Buffer => latin(`\x80\x02${body}`);
const u16 = (value: number): Buffer => Buffer.from(Uint16Array.of(value).buffer);
const u32 = (value: number): Buffer => Buffer.from(Uint32Array.of(value).buffer);
const u64 = (value: bigint): Buffer => Buffer.from(BigUint64Array.of(value).buffer);

interface Entry {
  readonly name: string;
  readonly data: Buffer;
  readonly method?: number;
  /** Claimed size once decompressed. */
  readonly size?: number;
}

/** A zip archive; with `wide`, every number stands in zip64 fields. */
function zip(entries: readonly Entry[], wide = false): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let at = 0;
  for (const { name, data, method = 0, size = data.length } of entries) {
    const local = Buffer.concat([
      u32(0x04034b50),
      u16(45),
      u16(0),
      u16(method),
      u32(0),
      u32(0),
      u32(data.length),
      u32(size),
      u16(name.length),
      u16(0),
      latin(name),
    ]);
    const extra = wide
      ? Buffer.concat([u16(1), u16(24), u64(BigInt(size)), u64(BigInt(data.length)), u64(BigInt(at))])
      : Buffer.alloc(0);
    const numbers = wide ? [u32(0xffffffff), u32(0xffffffff)] : [u32(data.length), u32(size)];
    directory.push(
      Buffer.concat([
        u32(0x02014b50),
        u16(45),
        u16(45),
        u16(0),
        u16(method),
        u32(0),
        u32(0),
        ...numbers,
        u16(name.length),
        u16(extra.length),
        u16(0),
        u16(0),
        u16(0),
        u32(0),
        u32(wide ? 0xffffffff : at),
        latin(name),
        extra,
      ]),
    );
    parts.push(local, data);
    at += local.length + data.length;
  }
  const list = Buffer.concat(directory);
  const end64 = Buffer.concat([
    u32(0x06064b50),
    u64(44n),
    u16(45),
    u16(45),
    u32(0),
    u32(0),
    u64(BigInt(entries.length)),
    u64(BigInt(entries.length)),
    u64(BigInt(list.length)),
    u64(BigInt(at)),
  ]);
  const locator = Buffer.concat([u32(0x07064b50), u32(0), u64(BigInt(at + list.length)), u32(1)]);
  const numbers = wide
    ? [u16(0xffff), u16(0xffff), u32(0xffffffff), u32(0xffffffff)]
    : [u16(entries.length), u16(entries.length), u32(list.length), u32(at)];
  const end = Buffer.concat([u32(0x06054b50), u16(0), u16(0), ...numbers, u16(0)]);
  return Buffer.concat([...parts, list, ...(wide ? [end64, locator] : []), end]);
}

/** `{"x": tensor of [2]}` over storage "0". */
const oneTensor = pickle(
  '}X\x01\0\0\0xctorch._utils\n_rebuild_tensor_v2\n((X\x07\0\0\0storagectorch\nFloatStorage\nX\x01\0\0\0' +
    '0X\x03\0\0\0cpuK\x02tQK\0K\x02\x85K\x01\x85\x89}tRs.',
);
const two = Buffer.from(Float32Array.of(1.5, -2).buffer);

function refused(bytes: Buffer): string {
  writeFileSync(file, bytes);
  try {
    openCheckpoint(file).close();
  } catch (error) {
    assert.ok(error instanceof WeightsError, String(error));
    assert.match(error.message, /^[^\n]+ cannot be read as a checkpoint: [^\n]+\.$/);
    return error.message;
  }
  assert.fail('it was read');
}

const proof = path.join(folder, 'proof');
const command = `X${latin1Length(`touch ${proof}`)}touch ${proof}`;
function latin1Length(text: string): string {
  return u32(text.length).toString('latin1');
}

const harmful: Readonly<Record<string, string>> = {
  'posix.system': `cposix\nsystem\n${command}\x85R.`,
  'os.system': `cos\nsystem\n${command}\x85R.`,
  'subprocess.Popen': `csubprocess\nPopen\n${command}\x85\x81.`,
  'builtins.eval': 'c__builtin__\neval\nX\x01\0\0\x001\x85R.',
  'builtins.__import__': '(X\x02\0\0\0osi__builtin__\n__import__\n.',
  'builtins.exec': '(cbuiltins\nexec\nX\x04\0\0\0passo.',
  'runpy._run_code': '\x8c\x05runpy\x8c\x09_run_code\x93)R.',
};
for (const [name, body] of Object.entries(harmful))
  test(`a file that calls ${name} is refused by that name, and runs nothing`, () => {
    const sentence = refused(pickle(body));
    assert.ok(sentence.includes(`it would call ${name}`), sentence);
    assert.ok(refused(zip([{ name: 'a/data.pkl', data: pickle(body) }])).includes(name));
    assert.ok(!existsSync(proof));
  });

test('classes that are not known stay placeholders with their names', () => {
  writeFileSync(
    file,
    zip([
      {
        name: 'a/data.pkl',
        data: pickle(
          '}(X\x01\0\0\0cc__main__\nConfig\n)\x81}X\x01\0\0\0nK\x05sbX\x01\0\0\0dcdatetime\ndate\nK\x01\x85Ru.',
        ),
      },
    ]),
  );
  const checkpoint = openCheckpoint(file);
  assert.deepEqual([...checkpoint.opaque.keys()], ['__main__.Config', 'datetime.date']);
  assert.equal(checkpoint.values.get('c.n'), 5);
  checkpoint.close();
});

const bytes = (name: string, data: Buffer) => [name, data] as const;
const many = 200_000;
for (const [name, data] of [
  bytes('a text of 4 GB', Buffer.concat([pickle('X'), u32(0xffffffff)])),
  bytes('bytes of 2^63', Buffer.concat([latin('\x80\x05\x8e'), u64(2n ** 63n)])),
  bytes('an integer of 2 GB', Buffer.concat([pickle('\x8b'), u32(0x7fffffff)])),
  bytes('a text integer of 60,000 digits', pickle(`I${'9'.repeat(60_000)}\n.`)),
  bytes('an empty stack', pickle('.')),
  bytes('a mark that is missing', pickle('t.')),
  bytes('a memo that was never made', pickle('h\x05.')),
  bytes('a line without end', pickle(`c${'a'.repeat(100_000)}`)),
  bytes('an operation that does not exist', pickle('\xff.')),
  bytes('the extension registry', pickle('\x82\x01.')),
  bytes('a call of a number', pickle('K\x01)R.')),
  bytes('a storage that is elsewhere', oneTensor),
  bytes('a zip without data.pkl', zip([{ name: 'a/b', data: two }])),
  bytes('a storage that is missing', zip([{ name: 'a/data.pkl', data: oneTensor }])),
  bytes(
    'a storage that is too short',
    zip([
      { name: 'a/data.pkl', data: oneTensor },
      { name: 'a/data/0', data: two.subarray(0, 7) },
    ]),
  ),
  bytes(
    'a zip entry that claims 3 GB',
    zip([{ name: 'a/data.pkl', data: deflateRawSync(oneTensor), method: 8, size: 3e9 }]),
  ),
  bytes(
    'a compressed entry of another size',
    zip([{ name: 'a/data.pkl', data: deflateRawSync(oneTensor), method: 8, size: 7 }]),
  ),
  bytes('a zip entry of an unknown method', zip([{ name: 'a/data.pkl', data: oneTensor, method: 12 }])),
  bytes(
    'a big-endian machine',
    zip([
      { name: 'a/data.pkl', data: oneTensor },
      { name: 'a/byteorder', data: latin('big') },
      { name: 'a/data/0', data: two },
    ]),
  ),
  bytes('a tar without members', Buffer.concat([Buffer.alloc(257), latin('ustar'), Buffer.alloc(762)])),
] as const)
  test(`refused with one sentence: ${name}`, () => void refused(data));

test('a container nested 200,000 deep, and one that holds itself, are read without a crash', () => {
  for (const body of [
    `${'('.repeat(many)}${'l'.repeat(many)}.`,
    `${']'.repeat(2)}${'\x85'.repeat(many)}.`,
    ']q\0h\0a.',
  ]) {
    writeFileSync(file, pickle(body));
    openCheckpoint(file).close();
  }
});

test('lists that hold each other 2^60 times are read in a moment', () => {
  let body = ']q\0';
  for (let level = 1; level <= 60; level++)
    body += `](h${String.fromCharCode(level - 1)}h${String.fromCharCode(level - 1)}eq${String.fromCharCode(level)}`;
  writeFileSync(file, pickle(`${body}.`));
  const started = performance.now();
  openCheckpoint(file).close();
  assert.ok(performance.now() - started < 10_000);
});

test('calls that copy one large container again and again are stopped', () => {
  const items = `](${'K\x01'.repeat(50_000)}e`;
  const copies = 'cbuiltins\nlist\nh\0\x85R0'.repeat(5_000);
  assert.match(refused(pickle(`${items}q\0${copies}.`)), /longer than that of any checkpoint/);
});

test('compressed entries, zip64 and long comments are read', () => {
  const entries = [
    { name: 'a/data.pkl', data: deflateRawSync(oneTensor), method: 8, size: oneTensor.length },
    { name: 'a/data/0', data: two },
  ];
  const commented = zip(entries);
  commented.writeUInt16LE(9, commented.length - 2);
  for (const archive of [zip(entries), zip(entries, true), Buffer.concat([commented, latin('a comment')])]) {
    writeFileSync(file, archive);
    const checkpoint = openCheckpoint(file);
    assert.deepEqual(valuesOf(checkpoint.tensors.get('x')!), { dtype: 'float32', values: [1.5, -2] });
    checkpoint.close();
  }
});

test('a file cut off anywhere is refused or reads as what is left', () => {
  const whole = zip([
    { name: 'a/data.pkl', data: oneTensor },
    { name: 'a/data/0', data: two },
  ]);
  for (let length = 0; length < whole.length; length++) refused(whole.subarray(0, length));
});
