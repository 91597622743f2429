/** Finds the state dict in what a pickle holds: training scripts put it under many names. */
import type { Contents, Scalar } from './checkpoint.js';
import { PyDict, PyList, PyOpaque, PyTensor, PyTuple, type PyValue } from './pickle/values.js';
import type { StoredTensor } from './storedTensor.js';

/** Under which a state dict is looked for first, in this order. */
const USUAL_ROOTS = [
  'state_dict',
  'model_state_dict',
  'model',
  'module',
  'weights',
  'params',
  'net',
  'network',
  'generator',
];
/** Never the model, though they hold tensors. */
const NEVER_ROOTS =
  /^(?:.*optimizer.*|opt|optim|.*scheduler.*|scaler|rng.*|.*rng_state.*|ema.*|loops|callbacks)$/;

const MOST_TENSORS = 1_000_000;
const MOST_VALUES = 10_000;
const MOST_VISITS = 4_000_000;
const DEEPEST = 64;
const LONGEST_NAME = 2000;
const MOST_NAME_CHARACTERS = 1 << 26;
const MOST_SEARCHED = 1_000_000;

type Found = Pick<Contents, 'root' | 'tensors' | 'others' | 'values'>;

/** Every tensor and scalar below `value` by dotted name, and which of them are the state dict. */
export function findTensors(value: PyValue): Found {
  const tensors = new Map<string, StoredTensor>();
  const values = new Map<string, Scalar>();
  let visits = 0;
  let characters = 0;
  /** Counts a name that is kept; shared containers can be reached by exponentially many. */
  const keep = (name: string): boolean => (characters += name.length) <= MOST_NAME_CHARACTERS;
  const visit = (name: string, found: PyValue, depth: number): void => {
    visits += 1;
    if (visits > MOST_VISITS || name.length > LONGEST_NAME) return;
    if (found instanceof PyTensor) {
      if (found.tensor !== null && tensors.size < MOST_TENSORS && keep(name)) tensors.set(name, found.tensor);
    } else if (found === null || typeof found !== 'object') {
      if (values.size < MOST_VALUES && keep(name)) values.set(name, scalar(found));
    } else if (depth < DEEPEST) {
      for (const [key, child] of childrenOf(found))
        visit(name === '' ? key : `${name}.${key}`, child, depth + 1);
    }
  };
  visit('', value, 0);
  const root = rootOf(value, '', 0, { left: MOST_SEARCHED });
  return { root, ...split(tensors, root), values };
}

const scalar = (value: null | boolean | number | bigint | string): Scalar =>
  typeof value === 'bigint' ? value.toString() : value;

/** What an object holds, by the names torch gives them; nothing for what has none. */
function* childrenOf(value: PyValue): Iterable<[string, PyValue]> {
  if (value instanceof PyDict) {
    for (const [key, child] of value.entries())
      if (typeof key === 'string' || typeof key === 'number') yield [String(key), child];
  } else if (value instanceof PyList || value instanceof PyTuple) {
    for (const [index, child] of value.items.entries()) yield [String(index), child];
  } else if (value instanceof PyOpaque) {
    yield* childrenOf(value.dict);
    yield* childrenOf(value.list);
    yield* attributesOf(value.state);
  }
}

/** A pickled object's attributes; of an `nn.Module` its parameters, buffers and submodules, as its state dict has them. */
function* attributesOf(state: PyValue): Iterable<[string, PyValue]> {
  const attributes =
    state instanceof PyTuple ? (state.items.find((item) => item instanceof PyDict) ?? null) : state;
  if (!(attributes instanceof PyDict)) return;
  const inModule = ['_parameters', '_buffers', '_modules'].map((key) => attributes.get(key));
  if (inModule[0] === undefined || inModule[2] === undefined) yield* childrenOf(attributes);
  else for (const part of inModule) if (part !== undefined) yield* childrenOf(part);
}

/** The path of the state dict: below the usual names, else where tensors stand directly, else below the only child with any. */
function rootOf(value: PyValue, at: string, depth: number, visits: { left: number }): string {
  if (depth > 8 || !(value instanceof PyDict)) return at;
  const children: [string, PyValue][] = [];
  for (const child of childrenOf(value)) {
    // More children than a wrapper has: a state dict, or data.
    if (children.push(child) > 1000) return at;
  }
  const holds = (child: PyValue): boolean => !(child instanceof PyTensor) && hasTensors(child, 0, visits);
  let next = USUAL_ROOTS.map((name) => children.find(([key]) => key === name)).find(
    (child) => child !== undefined && holds(child[1]),
  );
  if (next === undefined && !children.some(([, child]) => child instanceof PyTensor)) {
    const candidates = children.filter(([key, child]) => !NEVER_ROOTS.test(key) && holds(child));
    if (candidates.length === 1) next = candidates[0];
  }
  if (next === undefined) return at;
  return rootOf(next[1], at === '' ? next[0] : `${at}.${next[0]}`, depth + 1, visits);
}

function hasTensors(value: PyValue, depth: number, visits: { left: number }): boolean {
  if (value instanceof PyTensor) return true;
  if (depth > 16 || --visits.left < 0) return false;
  for (const [, child] of childrenOf(value)) if (hasTensors(child, depth + 1, visits)) return true;
  return false;
}

function split(
  all: ReadonlyMap<string, StoredTensor>,
  root: string,
): { tensors: ReadonlyMap<string, StoredTensor>; others: ReadonlyMap<string, StoredTensor> } {
  if (root === '') return { tensors: all, others: new Map() };
  const inside = (name: string): boolean => name.startsWith(`${root}.`);
  return {
    tensors: new Map(
      [...all].flatMap(([name, tensor]) => (inside(name) ? [[name.slice(root.length + 1), tensor]] : [])),
    ),
    others: new Map([...all].filter(([name]) => !inside(name))),
  };
}
