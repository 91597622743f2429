import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { embeddedCorpus, readCorpus } from '../../extension/core/data/corpus.js';
import { gpt2Tokenizer } from '../../extension/core/data/gpt2Tokenizer.js';
import {
  BatchSource,
  bitsPerByte,
  byteTokenizer,
  heldOutBatches,
  tokenize,
  type Tokenizer,
} from '../../extension/core/data/tokenStream.js';
import { worldTokenizer } from '../../extension/core/data/worldTokenizer.js';

const shared = path.join('..', 'shared', 'data');
const folder = mkdtempSync(path.join(tmpdir(), 'crossover-data-'));
after(() => rmSync(folder, { recursive: true, force: true }));

const ints = (bytes: Uint8Array): number[] =>
  Array.from(new BigInt64Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 8), Number);

test('a folder of text is read in a stable order, without binaries and build products', () => {
  const text = path.join(folder, 'text');
  mkdirSync(path.join(text, 'node_modules', 'lib'), { recursive: true });
  mkdirSync(path.join(text, 'dist'));
  writeFileSync(path.join(text, 'b.md'), 'B'.repeat(2000));
  writeFileSync(path.join(text, 'a.py'), 'A'.repeat(2000));
  writeFileSync(path.join(text, 'node_modules', 'lib', 'x.d.ts'), 'X'.repeat(2000));
  writeFileSync(path.join(text, 'dist', 'out.js'), 'D'.repeat(2000));
  writeFileSync(path.join(text, 'c.md'), Buffer.from([0, 1, 2]));
  writeFileSync(path.join(text, 'd.md'), 'A'.repeat(2000));
  const corpus = readCorpus(text);
  assert.equal(Buffer.from(corpus.bytes).toString(), 'A'.repeat(2000) + 'B'.repeat(2000) + 'X'.repeat(2000));
  assert.equal(corpus.training.length + corpus.heldOut.length, corpus.bytes.length);
  assert.equal(corpus.hash, readCorpus(text).hash);
  assert.match(corpus.description, /3 files/);
});

test('the embedded corpus is found on this machine, capped and always the same', () => {
  const corpus = embeddedCorpus(['.']);
  assert.ok(corpus.bytes.length >= 512 * 1024 && corpus.bytes.length <= 4 * 2 ** 20);
  assert.equal(corpus.hash, embeddedCorpus(['.']).hash);
  assert.ok(Math.abs(corpus.heldOut.length / corpus.bytes.length - 0.1) < 0.02);
  assert.throws(
    () => embeddedCorpus([path.join(folder, 'none')]),
    /name a file or folder of text with --data/,
  );
});

test('one file: the last tenth is held out; what is missing is said', () => {
  const file = path.join(folder, 'one.txt');
  writeFileSync(file, Array.from({ length: 10_000 }, (_, i) => String(i % 10)).join(''));
  const corpus = readCorpus(file);
  assert.equal(corpus.training.length, 9000);
  assert.throws(() => readCorpus(path.join(folder, 'nothing.txt')), /does not exist/);
  writeFileSync(path.join(folder, 'short.txt'), 'hi');
  assert.throws(() => readCorpus(path.join(folder, 'short.txt')), /too little/);
});

test('batches: targets follow their tokens, seeds decide, hashes prove', () => {
  const tokens = Int32Array.from({ length: 1000 }, (_, i) => i);
  const source = new BatchSource(tokens, 16, 4, 3);
  const { idx, targets } = source.next();
  const inputs = ints(idx);
  assert.equal(inputs.length, 64);
  assert.deepEqual(
    ints(targets),
    inputs.map((token) => token + 1),
  );
  assert.deepEqual(
    inputs.slice(0, 16),
    Array.from({ length: 16 }, (_, i) => inputs[0]! + i),
  );
  const again = new BatchSource(tokens, 16, 4, 3);
  again.next();
  assert.equal(again.hash(), source.hash());
  again.next();
  assert.notEqual(again.hash(), source.hash());
  const other = new BatchSource(tokens, 16, 4, 4);
  other.next();
  assert.notEqual(other.hash(), source.hash());
  assert.throws(() => new BatchSource(tokens, 1000, 1, 1), /shorten the context/);
});

test('the last window of the stream can be drawn', () => {
  const source = new BatchSource(Int32Array.of(5, 6, 7), 2, 8, 1);
  assert.deepEqual(ints(source.next().targets).slice(0, 2), [6, 7]);
});

test('held-out batches cover the text evenly and fit small texts', () => {
  const tokens = Int32Array.from({ length: 1000 }, (_, i) => i);
  const batches = heldOutBatches(tokens, 10, 4, 3);
  assert.equal(batches.length, 3);
  const starts = batches.flatMap(({ idx }) => ints(idx).filter((_, i) => i % 10 === 0));
  assert.equal(starts[0], 0);
  assert.equal(starts.at(-1), 989);
  assert.equal(heldOutBatches(tokens.subarray(0, 11), 10, 2, 3).length, 1);
});

test('a vocabulary that is too small is refused', () => {
  const file = path.join(folder, 'bytes.txt');
  writeFileSync(file, 'z'.repeat(5000));
  assert.throws(() => tokenize(readCorpus(file), byteTokenizer, 100), /token 122 .* --vocab/);
  assert.equal(tokenize(readCorpus(file), byteTokenizer, 256).bytesPerToken, 1);
});

test(
  'RWKV World ids agree with the published ones',
  { skip: !existsSync(shared) && 'no shared data' },
  () => {
    const expected = JSON.parse(
      readFileSync(path.join(shared, 'tokenizers', 'tokenizer_expected.json'), 'utf8'),
    ) as {
      rwkv_vocab_v20230424: {
        upstream_test: { text: string; ids: number[] };
        derived_greedy_longest_match: Record<string, number[]>;
      };
    };
    const tokenizer = worldTokenizer(path.join(shared, 'tokenizers', 'rwkv_vocab_v20230424.txt'));
    const { upstream_test: upstream, derived_greedy_longest_match: derived } = expected.rwkv_vocab_v20230424;
    for (const [text, ids] of [[upstream.text, upstream.ids] as const, ...Object.entries(derived)]) {
      assert.deepEqual([...tokenizer.encode(Buffer.from(text))], ids, text);
      assert.equal(Buffer.concat(ids.map((id) => tokenizer.decode(id))).toString(), text);
    }
    assert.equal(tokenizer.decode(65_535).length, 0);
  },
);

test('GPT-2 ids agree with the published ones', { skip: !existsSync(shared) && 'no shared data' }, () => {
  const tokenizer = gpt2Tokenizer(path.join(shared, 'tokenizers', 'gpt2_encoder.json'));
  assert.equal(tokenizer.size, 50257);
  const text = readFileSync(path.join(shared, 'text', 'tinyshakespeare.txt'));
  const cut = Math.floor(text.length * 0.9);
  // 301,966 and 36,059 tokens: nanoGPT's preparation of the same file.
  assert.equal(tokenizer.encode(text.subarray(0, cut)).length, 301_966);
  assert.equal(tokenizer.encode(text.subarray(cut)).length, 36_059);
  assert.deepEqual([...tokenizer.encode(Buffer.from('Hello world'))], [15496, 995]);
  const odd = 'naïve 日本\t<|endoftext|> ';
  const ids = [...tokenizer.encode(Buffer.from(odd))];
  assert.equal(Buffer.concat(ids.map((id) => tokenizer.decode(id))).toString(), odd);
});

test('no byte is both trained on and held out, in one text and in many', () => {
  const place = path.join(folder, 'apart');
  mkdirSync(place);
  // Every four bytes say where they stand.
  const numbered = (from: number, count: number): string =>
    Array.from({ length: count }, (_, i) => (from + i).toString(36).padStart(4, '0')).join('');
  const words = (bytes: Uint8Array): string[] => Buffer.from(bytes).toString().match(/.{4}/g) ?? [];
  writeFileSync(path.join(place, 'a.txt'), numbered(0, 40_000));
  writeFileSync(path.join(place, 'b.txt'), numbered(40_000, 60_000));
  for (const corpus of [readCorpus(place), readCorpus(path.join(place, 'b.txt'))]) {
    const training = new Set(words(corpus.training));
    const heldOut = words(corpus.heldOut);
    assert.ok(heldOut.length > 0 && heldOut.every((word) => !training.has(word)));
    assert.equal(training.size + heldOut.length, corpus.bytes.length / 4);
  }
});

test('bits per byte: nats per token, over ln 2, over bytes per token', () => {
  const pairs: Tokenizer = {
    name: 'pairs',
    size: 256,
    encode: (bytes) => Int32Array.from(bytes).filter((_, i) => i % 2 === 0),
    decode: (id) => Uint8Array.of(id, id),
  };
  const file = path.join(folder, 'pairs.txt');
  writeFileSync(file, 'ab'.repeat(5000));
  const { bytesPerToken } = tokenize(readCorpus(file), pairs, 256);
  assert.equal(bytesPerToken, 2);
  // A uniform guess among 256 tokens of two bytes: eight bits per token, four per byte.
  assert.ok(Math.abs(bitsPerByte(Math.log(256), bytesPerToken) - 4) < 1e-12);
});
