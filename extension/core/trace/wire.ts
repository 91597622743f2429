/**
 * Decodes the response of `crossover_trace.trace` (its format is described at the top of that file). The text was
 * made beside hostile code, so nothing in it is trusted: every index, size, type and name is checked, and the first
 * that is not as it should be ends in a {@link TraceError} 'sandbox'.
 */
import type {
  Attr,
  Attrs,
  CustomVjp,
  DType,
  Graph,
  Node,
  ParameterGroup,
  Phase,
  Span,
  StateTensor,
  TensorType,
  Trace,
} from '../compiler/graph.js';
import { ELEMENT_BYTES } from '../compiler/ops/constants.js';
import { TraceError } from './tracer.js';

const codes: ReadonlySet<string> = new Set<TraceError['code']>([
  'syntax',
  'import',
  'shape',
  'unsupported',
  'data-dependent',
  'entry',
  'python',
  'time',
  'memory',
  'size',
  'sandbox',
  'file',
]);
const maxNodes = 400_000;
const maxElements = 2 ** 40;
const maxDims = 64;
const maxText = 4096;
const maxLog = 1 << 20;

/** Thrown by the checks below; becomes a TraceError in {@link decodeResponse}. */
class Malformed extends Error {}

function check(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Malformed(what);
}

function list(value: unknown, what: string): readonly unknown[] {
  check(Array.isArray(value), what);
  return value;
}

function record(value: unknown, what: string): Readonly<Record<string, unknown>> {
  check(typeof value === 'object' && value !== null && !Array.isArray(value), what);
  return value as Readonly<Record<string, unknown>>;
}

function text(value: unknown, what: string, limit = maxText): string {
  check(typeof value === 'string' && value.length <= limit, what);
  return value;
}

function integer(value: unknown, what: string, below = Number.MAX_SAFE_INTEGER): number {
  check(typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value < below, what);
  return value;
}

function finite(value: unknown, what: string): number {
  check(typeof value === 'number' && Number.isFinite(value), what);
  return value;
}

function flag(value: unknown, what: string): boolean {
  check(typeof value === 'boolean', what);
  return value;
}

function indexes(value: unknown, below: number, what: string): number[] {
  return list(value, what).map((item) => integer(item, what, below));
}

function isDType(value: string): value is DType {
  return Object.hasOwn(ELEMENT_BYTES, value);
}

function tensorType(value: unknown): TensorType {
  const [dtype, ...sizes] = list(value, 'a type');
  check(typeof dtype === 'string' && isDType(dtype), 'a dtype');
  check(sizes.length <= maxDims, 'a number of dimensions');
  const shape = sizes.map((size) => integer(size, 'a size', maxElements + 1));
  check(shape.reduce((product, size) => product * size, 1) <= maxElements, 'a tensor size');
  return { dtype, shape };
}

function attr(value: unknown): Attr {
  if (typeof value === 'boolean') return value;
  if (typeof value === 'string') return text(value, 'an attribute', 64);
  if (typeof value === 'number') return finite(value, 'an attribute');
  const items = list(value, 'an attribute');
  check(items.length <= maxDims, 'an attribute');
  return items.map((item) => {
    check(Number.isSafeInteger(item), 'an attribute');
    return item as number;
  });
}

function attrs(value: unknown): Attrs {
  const entries = Object.entries(record(value, 'attributes'));
  for (const [name] of entries) check(/^[a-z][A-Za-z]{0,31}$/.test(name), 'the name of an attribute');
  return Object.fromEntries(entries.map(([name, item]) => [name, attr(item)]));
}

function span(value: unknown, files: number): Span {
  const row = list(value, 'a span');
  check(row.length === 6, 'a span');
  const [file, line, column, endLine, endColumn] = row
    .slice(0, 5)
    .map((item) => integer(item, 'a span', 2 ** 31));
  check(file! < files && line! >= 1 && endLine! >= line!, 'a span');
  check(endLine! > line! || endColumn! >= column!, 'a span');
  return {
    file: file!,
    line: line!,
    column: column!,
    endLine: endLine!,
    endColumn: endColumn!,
    function: text(row[5], 'the function of a span'),
  };
}

type Tables = Pick<Graph, 'files' | 'spans' | 'stacks' | 'scopes'> & { readonly attrs: readonly Attrs[] };

function tables(trace: Readonly<Record<string, unknown>>): Tables {
  const files = list(trace['files'], 'files').map((file) => text(file, 'a file'));
  const spans = list(trace['spans'], 'spans').map((row) => span(row, files.length));
  const stacks = list(trace['stacks'], 'stacks').map((row) => indexes(row, spans.length, 'a stack'));
  const scopes = list(trace['scopes'], 'scopes').map((scope) => text(scope, 'a scope'));
  return { files, spans, stacks, scopes, attrs: list(trace['attrs'], 'attributes').map(attrs) };
}

function bytes(value: unknown): Uint8Array {
  check(typeof value === 'string', 'a constant');
  const data = Buffer.from(value, 'base64');
  check(Math.ceil(data.length / 3) * 4 === value.length, 'a constant');
  // a copy: small Buffers share one memory
  return Uint8Array.from(data);
}

function graph(value: unknown, kind: 'init' | 'forward', shared: Tables): Graph {
  const parts = record(value, 'a graph');
  const values = list(parts['values'], 'values').map(tensorType);
  const constants = list(parts['constants'], 'constants').map(bytes);
  const rows = list(parts['nodes'], 'nodes');
  check(rows.length <= maxNodes, 'the number of nodes');
  const made = new Uint8Array(values.length);
  const phases: readonly string[] = kind === 'init' ? ['init'] : ['forward', 'backward'];
  const nodes = rows.map((item): Node => {
    const row = list(item, 'a node');
    check(row.length === 7, 'a node');
    const op = text(row[0], 'an operation', 32);
    check(/^[a-z][a-z0-9_]*(\.[a-z_]+)?$/.test(op), 'an operation');
    const inputs = indexes(row[1], values.length, `an input of ${op}`);
    for (const id of inputs) check(made[id] === 1, `the order of ${op}`);
    const outputs = indexes(row[2], values.length, `an output of ${op}`);
    for (const id of outputs) {
      check(made[id] === 0, `an output of ${op}`);
      made[id] = 1;
    }
    const phase = row[6];
    check(typeof phase === 'string' && phases.includes(phase), `the phase of ${op}`);
    const node: Node = {
      op,
      inputs,
      outputs,
      attrs: shared.attrs[integer(row[3], `the attributes of ${op}`, shared.attrs.length)]!,
      stack: integer(row[4], `the stack of ${op}`, shared.stacks.length),
      scope: integer(row[5], `the scope of ${op}`, shared.scopes.length),
      phase: phase as Phase,
    };
    if (op === 'constant') checkConstant(node, values, constants);
    return node;
  });
  check(
    made.every((one) => one === 1),
    'a value that no node makes',
  );
  const outputs = Object.entries(record(parts['outputs'], 'outputs')).map(([name, id]): [string, number] => {
    check(kind === 'forward' && (name === 'loss' || name === 'logits'), 'the name of an output');
    return [name, integer(id, 'an output', values.length)];
  });
  return {
    files: shared.files,
    spans: shared.spans,
    stacks: shared.stacks,
    scopes: shared.scopes,
    values,
    nodes,
    constants,
    customVjps: list(parts['customVjps'], 'custom gradients').map((row) => customVjp(row, values)),
    outputs: Object.fromEntries(outputs),
  };
}

function checkConstant(node: Node, values: readonly TensorType[], constants: readonly Uint8Array[]): void {
  const data = constants[integer(node.attrs['blob'], 'a constant', constants.length)]!;
  check(node.outputs.length === 1, 'a constant');
  const { dtype, shape } = values[node.outputs[0]!]!;
  check(
    data.length === shape.reduce((product, size) => product * size, ELEMENT_BYTES[dtype]),
    'the size of a constant',
  );
}

function sameType(a: TensorType, b: TensorType): boolean {
  return (
    a.dtype === b.dtype &&
    a.shape.length === b.shape.length &&
    a.shape.every((size, i) => size === b.shape[i])
  );
}

function customVjp(value: unknown, values: readonly TensorType[]): CustomVjp {
  const row = list(value, 'a custom gradient');
  check(row.length === 4, 'a custom gradient');
  const [inputs, outputs, cotangents] = row
    .slice(0, 3)
    .map((ids) => indexes(ids, values.length, 'a custom gradient'));
  const gradients = list(row[3], 'a custom gradient').map((id) =>
    id === null ? null : integer(id, 'a custom gradient', values.length),
  );
  check(gradients.length === inputs!.length && cotangents!.length === outputs!.length, 'a custom gradient');
  outputs!.forEach((id, i) => check(sameType(values[id]!, values[cotangents![i]!]!), 'a custom gradient'));
  inputs!.forEach((id, i) => {
    const gradient = gradients[i];
    if (typeof gradient === 'number') check(sameType(values[id]!, values[gradient]!), 'a custom gradient');
  });
  return { inputs: inputs!, outputs: outputs!, cotangents: cotangents!, gradients };
}

function state(value: unknown, init: Graph): StateTensor {
  const row = list(value, 'a state tensor');
  check(row.length === 4, 'a state tensor');
  const kind = row[0];
  check(kind === 'parameter' || kind === 'buffer' || kind === 'constant', 'the kind of a state tensor');
  const names = list(row[1], 'the names of a state tensor').map((name) =>
    text(name, 'the name of a state tensor'),
  );
  check(names.length > 0, 'the names of a state tensor');
  const initial = integer(row[2], 'the first content of a state tensor', init.values.length);
  return {
    kind,
    name: names[0]!,
    names,
    type: init.values[initial]!,
    requiresGrad: flag(row[3], 'a state tensor'),
    initial,
  };
}

function group(value: unknown, tensors: readonly StateTensor[]): ParameterGroup {
  const row = list(value, 'a parameter group');
  check(row.length === 6, 'a parameter group');
  const parameters = indexes(row[0], tensors.length, 'a parameter group');
  for (const index of parameters) check(tensors[index]!.kind === 'parameter', 'a parameter group');
  const [lrScale, weightDecay, beta1, beta2, eps] = row
    .slice(1)
    .map((item) => finite(item, 'a parameter group'));
  check(
    lrScale! >= 0 && beta1! >= 0 && beta1! < 1 && beta2! >= 0 && beta2! < 1 && eps! >= 0,
    'a parameter group',
  );
  return { parameters, lrScale: lrScale!, weightDecay: weightDecay!, betas: [beta1!, beta2!], eps: eps! };
}

function checkSources(forward: Graph, tensors: readonly StateTensor[], context: number, batch: number): void {
  for (const node of forward.nodes) {
    if (node.op === 'state') {
      const index = integer(node.attrs['index'], 'a state', tensors.length);
      check(
        node.outputs.length === 1 && sameType(forward.values[node.outputs[0]!]!, tensors[index]!.type),
        'a state',
      );
    } else if (node.op === 'input') {
      check(node.attrs['name'] === 'idx' || node.attrs['name'] === 'targets', 'an input');
      const input: TensorType = { dtype: 'i64', shape: [batch, context] };
      check(node.outputs.length === 1 && sameType(forward.values[node.outputs[0]!]!, input), 'an input');
    }
  }
}

function decodeTrace(value: unknown): Trace {
  const trace = record(value, 'the trace');
  check(trace['version'] === 1, 'the version');
  const shared = tables(trace);
  const init = graph(trace['init'], 'init', shared);
  const forward = graph(trace['forward'], 'forward', shared);
  const tensors = list(trace['state'], 'state').map((row) => state(row, init));
  const context = integer(trace['context'], 'the context');
  const batch = integer(trace['batch'], 'the batch');
  checkSources(forward, tensors, context, batch);
  const groups = trace['optimizer'];
  return {
    init,
    forward,
    state: tensors,
    optimizer: groups === null ? null : list(groups, 'the optimizer').map((row) => group(row, tensors)),
    context,
    batch,
    vocab: integer(trace['vocab'], 'the vocabulary'),
    log: text(trace['log'], 'the log', maxLog),
  };
}

function decodeError(value: unknown): TraceError {
  const error = record(value, 'the error');
  const code = text(error['code'], 'the code of an error');
  check(codes.has(code), 'the code of an error');
  const file = error['file'];
  const line = error['line'];
  return new TraceError(
    text(error['message'], 'the message of an error'),
    code as TraceError['code'],
    file === null ? null : text(file, 'the file of an error'),
    line === null ? null : integer(line, 'the line of an error'),
  );
}

/** The trace a response holds. Throws the {@link TraceError} it reports, or 'sandbox' when it is not a response. */
export function decodeResponse(response: string): Trace {
  let failure: TraceError;
  try {
    const parts = record(JSON.parse(response), 'the response');
    if (parts['ok'] !== undefined) return decodeTrace(parts['ok']);
    failure = decodeError(parts['error']);
  } catch (error) {
    if (!(error instanceof Malformed) && !(error instanceof SyntaxError)) throw error;
    const what = error instanceof Malformed ? `${error.message} is not as it should be` : 'it is not JSON';
    throw new TraceError(
      `The tracer's answer was refused because ${what}; check what the model file does to Python itself.`,
      'sandbox',
      null,
      null,
    );
  }
  throw failure;
}
