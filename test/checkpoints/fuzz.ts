/**
 * Fuzzing of the checkpoint readers: files that PyTorch wrote, changed at random, and pickles made up of random operations.
 * Whatever comes, a reader either gives tensors that can be read or refuses with a FormatError, soon, and within the memory
 * that the file's own size allows.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { type ByteSource, bytesOf, MemorySource } from '../../extension/core/checkpoints/byteSource.js';
import type { Contents } from '../../extension/core/checkpoints/checkpoint.js';
import type { Dtype, Held } from '../../extension/core/checkpoints/dtypes.js';
import { recognise } from '../../extension/core/checkpoints/layouts.js';
import { readContents } from '../../extension/core/checkpoints/open.js';
import { elementsOf, tensorBytes } from '../../extension/core/checkpoints/storedTensor.js';
import { FormatError, WeightsError } from '../../extension/core/checkpoints/weightsError.js';
import { readZip } from '../../extension/core/checkpoints/zip.js';

export interface FuzzResult {
  readonly inputs: number;
  /** Read without complaint, tensors and all. */
  readonly accepted: number;
  readonly slowestMs: number;
  /** Different sentences of refusal: how far into the readers the inputs got. */
  readonly refusals: ReadonlyMap<string, number>;
}

/** Elements that a caller would allocate for a tensor it knows the shape of; larger ones it would refuse. */
const LARGEST_READ = 1 << 16;

/** As a file is read: copies of ranges, never the whole. */
class CopyingSource implements ByteSource {
  readonly size: number;
  constructor(readonly bytes: Buffer) {
    this.size = bytes.length;
  }
  readInto(target: Uint8Array, start: number): void {
    target.set(this.bytes.subarray(start, start + target.length));
  }
}

/** Marsaglia's xorshift, 32 bits. */
function generator(seed: number): (below: number) => number {
  let state = seed >>> 0 || 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

/** Runs the readers on `inputs` inputs. Throws with the seed and the input's number for one that does harm. */
export function fuzz(seed: number, inputs: number, limitMs = 2000): FuzzResult {
  const corpus = seedFiles();
  const random = generator(seed);
  const refusals = new Map<string, number>();
  let accepted = 0;
  let slowestMs = 0;
  for (let n = 0; n < inputs; n++) {
    const bytes = random(8) === 0 ? randomPickle(random) : mutated(corpus, random);
    const source = random(2) === 0 ? new MemorySource(bytes) : new CopyingSource(bytes);
    const started = performance.now();
    const refusal = attempt(source, `seed ${seed}, input ${n}`);
    const ms = performance.now() - started;
    slowestMs = Math.max(slowestMs, ms);
    if (ms > limitMs) throw new Error(`Seed ${seed}, input ${n} took ${ms.toFixed(0)} ms.`);
    if (refusal === null) accepted += 1;
    else refusals.set(refusal, (refusals.get(refusal) ?? 0) + 1);
  }
  return { inputs, accepted, slowestMs, refusals };
}

/** Reads everything there is; the sentence of refusal with its numbers and names left out, or `null`. */
function attempt(source: ByteSource, which: string): string | null {
  try {
    const contents = readContents(source, 'fuzz.pt');
    readEverything(contents);
    return null;
  } catch (error) {
    if (error instanceof FormatError || error instanceof WeightsError)
      return error.message
        .replace(/"[^"]*"/g, '"…"')
        .replace(/\d+/g, 'N')
        .slice(0, 60);
    throw new Error(`${which}: ${String(error)}`, { cause: error });
  }
}

const integers = new Set<Dtype>(['i64', 'i32', 'i16', 'i8', 'u8', 'u16', 'u32']);
const heldFor = (dtype: Dtype): Held => (dtype === 'bool' ? 'u8' : integers.has(dtype) ? 'i64' : 'f32');

function readEverything(contents: Contents): void {
  for (const tensor of [...contents.tensors.values(), ...contents.others.values()])
    if (elementsOf(tensor.shape) <= LARGEST_READ) tensorBytes(tensor, heldFor(tensor.dtype));
  const layout = recognise({ ...contents, file: 'fuzz.pt', files: [], close: () => undefined });
  for (const id of layout?.zoo ?? []) layout!.expression(id, {});
}

/** Files written by PyTorch, the pickles inside them, and .safetensors. */
function seedFiles(): Buffer[] {
  const folder = path.join('test', 'fixtures', 'checkpoints');
  const files = readdirSync(folder)
    .filter((name) => /\.(pt|pkl|tar)$/.test(name))
    .map((name) => readFileSync(path.join(folder, name)));
  const pickles = files
    .filter((bytes) => bytes.readUInt32LE(0) === 0x04034b50)
    .flatMap((bytes) => {
      const entry = [...readZip(new MemorySource(bytes)).values()].find(({ name }) =>
        name.endsWith('data.pkl'),
      )!;
      const pickle = entry.open();
      return [Buffer.from(bytesOf(pickle, 0, pickle.size))];
    });
  const layouts = [gptHeader(), llamaHeader()];
  return [...files, ...pickles, ...layouts];
}

function safetensors(shapes: Readonly<Record<string, readonly number[]>>): Buffer {
  let at = 0;
  const entries = Object.entries(shapes).map(([name, shape]) => {
    const begin = at;
    at += 2 * elementsOf(shape);
    return [name, { dtype: 'BF16', shape, data_offsets: [begin, at] }];
  });
  const json = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.alloc(at, 0x3f)]);
}
const gptHeader = (): Buffer =>
  safetensors({
    'wte.weight': [3, 4],
    'wpe.weight': [2, 4],
    'h.0.attn.c_attn.weight': [4, 12],
    'lm_head.weight': [3, 4],
  });
const llamaHeader = (): Buffer =>
  safetensors({
    'model.embed_tokens.weight': [3, 4],
    'model.layers.0.self_attn.q_proj.weight': [4, 4],
    'model.layers.0.self_attn.k_proj.weight': [2, 4],
    'model.layers.0.self_attn.rotary_emb.inv_freq': [1],
  });

type Random = (below: number) => number;

const SIZES = [0, 1, 0x7f, 0x80, 0xff, 0x100, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff];

function mutated(corpus: readonly Buffer[], random: Random): Buffer {
  let bytes = Buffer.from(corpus[random(corpus.length)]!);
  for (let change = random(1 + random(6)); change >= 0 && bytes.length > 0; change--) {
    const at = random(bytes.length);
    const length = 1 + random(32);
    switch (random(9)) {
      case 0:
      case 1:
        bytes[at]! ^= 1 << random(8);
        break;
      case 2:
        bytes[at] = random(256);
        break;
      case 3:
        bytes = bytes.subarray(0, at);
        break;
      case 4:
        if (at + 4 <= bytes.length) bytes.writeUInt32LE(SIZES[random(SIZES.length)]!, at);
        break;
      case 5:
        if (at + 8 <= bytes.length)
          bytes.writeBigUInt64LE(BigInt(SIZES[random(SIZES.length)]!) << BigInt(random(33)), at);
        break;
      case 6:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
        break;
      case 7:
        bytes = Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - length))]);
        break;
      default: {
        const other = corpus[random(corpus.length)]!;
        const from = random(other.length);
        bytes = Buffer.concat([
          bytes.subarray(0, at),
          other.subarray(from, from + length),
          bytes.subarray(at),
        ]);
      }
    }
  }
  return bytes;
}

const NAMES = [
  'collections\nOrderedDict\n',
  'torch._utils\n_rebuild_tensor_v2\n',
  'torch._utils\n_rebuild_tensor_v3\n',
  'torch._tensor\n_rebuild_from_type_v2\n',
  'torch\nFloatStorage\n',
  'numpy.core.multiarray\nscalar\n',
  'numpy.core.multiarray\n_reconstruct\n',
  'numpy._core.numeric\n_frombuffer\n',
  'numpy\ndtype\n',
  '_codecs\nencode\n',
  'copyreg\n__newobj__\n',
  'copyreg\n_reconstructor\n',
  'torch.storage\n_load_from_bytes\n',
  'builtins\nset\n',
  '__main__\nModel\n',
  'os\nsystem\n',
];
const SIMPLE = '.012(Nte]l)}ad' + 'suRbioQ\x85\x86\x87\x88\x89\x8f\x90\x91\x81\x92\x93\x94';

/** Operations of a pickle with fitting arguments, in any order; weighted towards what keeps the stack full. */
function randomPickle(random: Random): Buffer {
  const parts = ['\x80\x02'];
  for (let n = random(60); n >= 0; n--) {
    const byte = (): string => String.fromCharCode(random(256));
    const kinds: (() => string)[] = [
      () => `c${NAMES[random(NAMES.length)]!}`,
      () => `K${String.fromCharCode(random(8))}`,
      () => `q${String.fromCharCode(random(8))}`,
      () => `h${String.fromCharCode(random(8))}`,
      () => `U\x02f4`,
      () => `X${String.fromCharCode(random(4))}\0\0\0abcd`,
      () => `C${String.fromCharCode(random(4))}abcd`,
      () => `M${byte()}${byte()}`,
      () => `\x8a${String.fromCharCode(random(9))}12345678`,
      () => SIMPLE[1 + random(SIMPLE.length - 1)]!,
      () => SIMPLE[1 + random(SIMPLE.length - 1)]!,
      () => SIMPLE[1 + random(SIMPLE.length - 1)]!,
    ];
    parts.push(kinds[random(kinds.length)]!());
  }
  return Buffer.from(`${parts.join('')}.`, 'latin1');
}
