/**
 * The names that mean something in a checkpoint's pickle, each with what it builds: tensors and plain containers. Nothing
 * outside this table is ever built, and nothing at all is run.
 */
import { bytesOf, MemorySource } from '../byteSource.js';
import { type Dtype, NUMPY_DTYPES, TORCH_DTYPES, widthOf } from '../dtypes.js';
import { contiguousStrides, makeTensor, type Storage } from '../storedTensor.js';
import { FormatError, shownName } from '../weightsError.js';
import type { Budget } from './input.js';
import {
  PyBytes,
  PyDict,
  PyGlobal,
  PyList,
  PyNumpyDtype,
  PyOpaque,
  PySet,
  PyStorage,
  PyTensor,
  PyTuple,
  type PyValue,
} from './values.js';

/** What pickles of one file share. */
export interface Builder {
  /** A storage from its persistent id. */
  persistent(id: PyValue): PyValue;
  /** Reads a file of torch.save inside a pickle, as plain `pickle.dump` writes storages. */
  nested(bytes: PyBytes): PyValue;
  /** Gives a numpy array its content, from the state that `__setstate__` takes. */
  fillArray(array: PyTensor, state: PyValue): void;
  /** Placeholders that were made: name to number. */
  readonly opaque: Map<string, number>;
  /** An id for a storage that is part of the pickle. */
  nextId(): string;
  /** Limits what calls copy. */
  readonly budget: Budget;
}

/** Modules whose functions do something to the machine. No checkpoint names them; a file that does is hostile. */
const DANGEROUS = new Set(
  (
    'os posix nt ntpath posixpath subprocess sys shutil socket runpy pty platform ctypes _ctypes importlib imp pkgutil ' +
    'code codeop commands webbrowser multiprocessing pickle _pickle cPickle marshal shelve dill cloudpickle bdb pdb timeit ' +
    'trace cProfile profile fileinput urllib requests http ftplib smtplib telnetlib asyncio tarfile zipfile pip setuptools ' +
    'distutils zipimport ensurepip venv idlelib lib2to3 operator'
  ).split(' '),
);
const DANGEROUS_BUILTINS = new Set(
  'eval exec execfile compile open file input raw_input __import__ breakpoint globals locals vars setattr delattr apply reload memoryview exit quit help'.split(
    ' ',
  ),
);
const DANGEROUS_ELSEWHERE = new Set([
  'torch.load',
  'torch.hub.load',
  'torch.serialization.load',
  'torch.jit.load',
  'torch.utils.cpp_extension.load',
  'torch.utils.collect_env.run',
  'numpy.load',
  'numpy.testing._private.utils.runstring',
]);

/** Throws a sentence that names a function which would do harm. */
export function refuseDangerous(found: PyGlobal): void {
  const [top = ''] = found.module.split('.', 1);
  const builtin = top === 'builtins' && DANGEROUS_BUILTINS.has(found.name.split('.')[0]!);
  if (builtin || DANGEROUS.has(top) || DANGEROUS_ELSEWHERE.has(found.path))
    throw new FormatError(
      `it would call ${shownName(found.path)} when loaded by PyTorch, which no checkpoint has a reason to do; nothing of it was run`,
    );
}

/** What calling `callee` gives: one of ours, or a placeholder. */
export function construct(builder: Builder, callee: PyValue, args: readonly PyValue[]): PyValue {
  const path = callee instanceof PyGlobal ? callee.path : callee instanceof PyOpaque ? callee.path : null;
  if (path === null) throw new FormatError('its pickle calls something that is not a function');
  const call = callee instanceof PyGlobal ? CALLABLES.get(path) : undefined;
  return call === undefined || args.length > MOST_ARGUMENTS
    ? placeholder(builder, path)
    : call(args, builder);
}

/** Placeholders whose names are kept. */
const MOST_NAMES = 1000;
/** Arguments of a call that is understood. */
const MOST_ARGUMENTS = 16;

function placeholder(builder: Builder, path: string): PyOpaque {
  const name = shownName(path);
  const count = builder.opaque.get(name);
  if (count !== undefined || builder.opaque.size < MOST_NAMES) builder.opaque.set(name, (count ?? 0) + 1);
  return new PyOpaque(name);
}

const itemsOf = (value: PyValue | undefined): readonly PyValue[] | null =>
  value instanceof PyTuple || value instanceof PyList || value instanceof PySet ? value.items : null;

/** The items of a call's first argument, counted: a short pickle can ask for the same copy many times. */
function copied(args: readonly PyValue[], builder: Builder): readonly PyValue[] {
  const items = itemsOf(args[0]) ?? [];
  builder.budget.operations(items.length);
  return items;
}

/** `dict(pairs)`, `OrderedDict(pairs)`, `Counter(dict)`. */
function dict(args: readonly PyValue[], builder: Builder): PyDict {
  const made = new PyDict();
  if (args[0] instanceof PyDict)
    for (const [key, value] of args[0].entries()) {
      builder.budget.operations(1);
      made.set(key, value);
    }
  for (const item of copied(args, builder)) {
    const pair = itemsOf(item);
    if (pair?.length === 2) made.set(pair[0]!, pair[1]!);
  }
  return made;
}

function list(args: readonly PyValue[], builder: Builder): PyList {
  const made = new PyList();
  for (const item of copied(args, builder)) made.items.push(item);
  return made;
}

function set(args: readonly PyValue[], builder: Builder): PySet {
  const made = new PySet();
  for (const item of copied(args, builder)) made.items.push(item);
  return made;
}

const noTensor = (): never => {
  throw new FormatError('a tensor in it is not made of a storage, a shape and strides');
};

/** `('storage', ...)` written in place of a persistent id, as some writers of the tar format did. */
function storageOf(value: PyValue | undefined, builder: Builder): PyStorage {
  if (value instanceof PyStorage) return value;
  const found = value instanceof PyTuple && value.items[0] === 'storage' ? builder.persistent(value) : null;
  return found instanceof PyStorage ? found : noTensor();
}

/** `_rebuild_tensor_v2(storage, offset, size, stride, ...)`; `dtype` where the storage is untyped. */
function tensor(args: readonly PyValue[], builder: Builder, dtype?: Dtype): PyTensor {
  const [stored, offset, size, stride] = args;
  const { storage, dtype: own } = storageOf(stored, builder);
  const shape = itemsOf(size) ?? noTensor();
  const strides = itemsOf(stride) ?? noTensor();
  return new PyTensor(makeTensor(dtype ?? own, shape, strides, offset, storage));
}

/** `_rebuild_tensor_v3` says the type itself: args[6]. */
function tensorOfType(args: readonly PyValue[], builder: Builder): PyTensor {
  const named = args[6];
  const dtype =
    named instanceof PyGlobal && named.module === 'torch' ? TORCH_DTYPES.get(named.name) : undefined;
  if (dtype === undefined)
    throw new FormatError(
      `a tensor in it has the type ${named instanceof PyGlobal ? shownName(named.path) : 'unknown'}, which is not read`,
    );
  return tensor(args, builder, dtype);
}

/** Subclasses of Tensor and tensors with attributes: what the inner function gives. */
function fromType(args: readonly PyValue[], builder: Builder): PyValue {
  const [inner, , given] = args;
  if (inner instanceof PyGlobal && inner.path.startsWith('torch._utils._rebuild_'))
    return construct(builder, inner, itemsOf(given) ?? []);
  return placeholder(builder, 'torch.Tensor');
}

function numpyDtype(args: readonly PyValue[], builder: Builder): PyValue {
  const match = typeof args[0] === 'string' ? /^([<>=|]?)(\w+)$/.exec(args[0]) : null;
  const dtype = NUMPY_DTYPES.get(match?.[2] ?? '');
  if (dtype === undefined) return placeholder(builder, 'numpy.dtype');
  return new PyNumpyDtype(dtype, match![1] === '>');
}

/** Bytes of a `bytes`, or of a string where Python 2 had no other. */
function rawBytes(value: PyValue | undefined, { budget }: Builder): PyBytes | null {
  if (value instanceof PyBytes) return value;
  if (typeof value !== 'string') return null;
  budget.text(value.length);
  return new PyBytes(new MemorySource(Buffer.from(value, 'latin1')));
}

const bytesOfAny = (args: readonly PyValue[], builder: Builder): PyBytes =>
  rawBytes(args[0], builder) ?? new PyBytes(new MemorySource(Buffer.alloc(0)));

/** `numpy.core.multiarray.scalar(dtype, bytes)`. */
function numpyScalar(args: readonly PyValue[], builder: Builder): PyValue {
  const [dtype, value] = args;
  const raw = rawBytes(value, builder);
  if (!(dtype instanceof PyNumpyDtype) || raw === null || raw.source.size !== widthOf(dtype.dtype))
    return placeholder(builder, 'numpy.scalar');
  const bytes = Buffer.from(bytesOf(raw.source, 0, raw.source.size));
  if (dtype.bigEndian) bytes.reverse();
  const read = SCALARS[dtype.dtype];
  return read === undefined ? placeholder(builder, 'numpy.scalar') : read(bytes);
}

const SCALARS: Partial<Record<Dtype, (bytes: Buffer) => PyValue>> = {
  f64: (bytes) => bytes.readDoubleLE(0),
  f32: (bytes) => bytes.readFloatLE(0),
  i64: (bytes) => Number(bytes.readBigInt64LE(0)),
  i32: (bytes) => bytes.readInt32LE(0),
  i16: (bytes) => bytes.readInt16LE(0),
  i8: (bytes) => bytes.readInt8(0),
  u8: (bytes) => bytes.readUInt8(0),
  u16: (bytes) => bytes.readUInt16LE(0),
  u32: (bytes) => bytes.readUInt32LE(0),
  u64: (bytes) => Number(bytes.readBigUInt64LE(0)),
  bool: (bytes) => bytes[0] !== 0,
};

/** A numpy array as a tensor over its bytes; `null` where it holds objects or text. */
export function arrayTensor(
  builder: Builder,
  shape: PyValue | undefined,
  dtype: PyValue | undefined,
  fortran: boolean,
  data: PyValue | undefined,
): PyTensor['tensor'] {
  const raw = rawBytes(data, builder);
  const dims = itemsOf(shape);
  if (!(dtype instanceof PyNumpyDtype) || raw === null || dims === null || dims.length > 64) return null;
  if (dtype.bigEndian && widthOf(dtype.dtype) > 1)
    throw new FormatError('a numpy array in it is big-endian, which is not read');
  const storage: Storage = { id: builder.nextId(), byteLength: raw.source.size, open: () => raw.source };
  const sizes = dims.map(Number);
  const strides = fortran ? contiguousStrides([...sizes].reverse()).reverse() : contiguousStrides(sizes);
  return makeTensor(dtype.dtype, dims, strides, 0, storage);
}

/** `numpy.core.numeric._frombuffer(bytes, dtype, shape, order)`. */
const fromBuffer = (args: readonly PyValue[], builder: Builder): PyTensor =>
  new PyTensor(arrayTensor(builder, args[2], args[1], args[3] === 'F', args[0]));

/** `_codecs.encode(text, 'latin1')`: how protocol 2 writes bytes. */
function encode(args: readonly PyValue[], builder: Builder): PyValue {
  const [text, encoding = 'utf-8'] = args;
  if (typeof text !== 'string') return placeholder(builder, '_codecs.encode');
  builder.budget.text(text.length);
  const latin = typeof encoding === 'string' && /^(latin-?1|iso-?8859-1)$/i.test(encoding);
  return new PyBytes(new MemorySource(Buffer.from(text, latin ? 'latin1' : 'utf8')));
}

/** `torch.device('cuda', 0)` as `cuda:0`. */
const device = ([type, index]: readonly PyValue[], builder: Builder): PyValue =>
  typeof type === 'string' && type.length < 32
    ? type + (typeof index === 'number' ? `:${index}` : '')
    : placeholder(builder, 'torch.device');

const first = (args: readonly PyValue[]): PyValue => args[0] ?? null;
/** `__newobj__(class, ...)`: only classes of the table have a meaning, and this is not one of them. */
function newobj([callee, ...args]: readonly PyValue[], builder: Builder): PyValue {
  if (callee instanceof PyGlobal && callee.module === 'copyreg')
    throw new FormatError('its pickle is damaged');
  return construct(builder, callee ?? null, args);
}

type Call = (args: readonly PyValue[], builder: Builder) => PyValue;

const numpyNames = (name: string, call: Call): [string, Call][] =>
  ['numpy.core', 'numpy._core'].map((module) => [`${module}.${name}`, call]);

const CALLABLES: ReadonlyMap<string, Call> = new Map<string, Call>([
  ['collections.OrderedDict', dict],
  ['collections.defaultdict', dict],
  ['collections.Counter', dict],
  ['builtins.dict', dict],
  ['builtins.list', list],
  ['builtins.set', set],
  ['builtins.frozenset', set],
  ['builtins.tuple', (args) => new PyTuple(itemsOf(args[0]) ?? [])],
  ['builtins.bytes', bytesOfAny],
  ['builtins.bytearray', bytesOfAny],
  ['torch.Size', (args) => new PyTuple(itemsOf(args[0]) ?? [])],
  ['torch.device', device],
  ['torch._utils._rebuild_tensor', (args, builder) => tensor(args, builder)],
  ['torch._utils._rebuild_tensor_v2', (args, builder) => tensor(args, builder)],
  ['torch._utils._rebuild_tensor_v3', tensorOfType],
  ['torch._utils._rebuild_parameter', first],
  ['torch._utils._rebuild_parameter_with_state', first],
  ['torch._utils._rebuild_device_tensor_from_numpy', first],
  ['torch._utils._rebuild_device_tensor_from_cpu_tensor', first],
  ['torch._tensor._rebuild_from_type', fromType],
  ['torch._tensor._rebuild_from_type_v2', fromType],
  [
    'torch.storage._load_from_bytes',
    (args, builder) => (args[0] instanceof PyBytes ? builder.nested(args[0]) : noTensor()),
  ],
  ['_codecs.encode', encode],
  ['copyreg._reconstructor', newobj],
  ['copyreg.__newobj__', newobj],
  ['numpy.dtype', numpyDtype],
  ...numpyNames('multiarray.scalar', numpyScalar),
  ...numpyNames('multiarray._reconstruct', () => new PyTensor(null)),
  ...numpyNames('numeric._frombuffer', fromBuffer),
]);
