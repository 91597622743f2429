/** Finds the file and the expression of a model: a zoo id, or `FILE.py::EXPRESSION`. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { recognise } from '../checkpoints/layouts.js';
import { openCheckpoint } from '../checkpoints/open.js';
import { reading } from '../checkpoints/weightsError.js';
import type { ModelSpec } from './experiment.js';
import { UsageError } from './usageError.js';
import { findZooModel, type ZooModel, zooIds } from './zoo.js';

export interface ModelSource {
  readonly label: string;
  readonly source: string;
  /** Absolute path. */
  readonly file: string;
  readonly expression: string;
  readonly spec: ModelSpec;
  /** Vocabulary of a zoo model that has the sizes of its checkpoint; left out, the run's. */
  readonly vocab?: number;
}

/** Resolves one model; relative files are read from `root`. Throws {@link UsageError}. */
export function resolveModel(spec: ModelSpec, root: string): ModelSource {
  const { source } = spec;
  const located = spec.weights === undefined ? spec : { ...spec, weights: path.resolve(root, spec.weights) };
  if (located.weights !== undefined && !existsSync(located.weights))
    throw new UsageError(
      `${located.weights} does not exist: weights are read from .safetensors and from files of torch.save.`,
    );
  const cut = source.indexOf('::');
  if (cut < 0) return zooSource(located, source);
  const file = path.resolve(root, source.slice(0, cut));
  const expression = source.slice(cut + 2).trim();
  if (expression === '')
    throw new UsageError(
      `"${source}" has no expression after "::": write how the model is built, e.g. model.py::GPT(GPTConfig(block_size=T, vocab_size=V)).`,
    );
  if (!existsSync(file)) throw new UsageError(`${file} does not exist, so "${source}" cannot be traced.`);
  return { label: spec.label ?? labelOf(file, expression), source, file, expression, spec: located };
}

/** A zoo id, with a number of parameters if it is not the usual one: `gpt2`, `gpt2:1.2M`. */
function zooSource(spec: ModelSpec, source: string): ModelSource {
  const [id = '', size] = source.split(':');
  const parameters = size === undefined ? null : parseSize(size);
  const zoo = findZooModel(id, parameters === null ? {} : { parameters });
  if (zoo === null)
    throw new UsageError(
      source.endsWith('.py')
        ? `"${source}" says no expression that builds the model: write it behind "::", e.g. ${source}::GPT(GPTConfig(block_size=T, vocab_size=V)).`
        : `"${source}" is neither a zoo model (${zooIds().join(', ')}) nor FILE.py::EXPRESSION.`,
    );
  const { label, file, expression, call } = zoo;
  const stored =
    spec.weights === undefined || size !== undefined ? null : zooWeights(zoo, spec.weights, spec);
  if (stored !== null) return { ...stored, source, file, spec: { call, ...spec } };
  return { label: spec.label ?? label, source, file, expression, spec: { call, ...spec } };
}

/** A zoo model of the sizes of a checkpoint; `null` when its layout is not known. Throws {@link UsageError}. */
function zooWeights(
  { id, label: usual }: ZooModel,
  weights: string,
  { label, heads }: ModelSpec,
): Pick<ModelSource, 'label' | 'expression' | 'vocab'> | null {
  const checkpoint = openCheckpoint(weights);
  try {
    const layout = reading(weights, () => recognise(checkpoint));
    if (layout === null) return null;
    if (!layout.zoo.includes(id))
      throw new UsageError(
        `${weights} is a ${layout.title} checkpoint: it fits ${layout.zoo.join(' or ')}, not ${id}.`,
      );
    const { layers, width, vocab } = layout;
    const expression = reading(weights, () => layout.expression(id, heads === undefined ? {} : { heads }));
    if (!(layers > 0 && width > 0 && vocab > 0) || /NaN|Infinity|=0\b(?!\.)/.test(expression))
      throw new UsageError(
        `${weights} looks like a ${layout.title} checkpoint, but its shapes give no ${id} model.`,
      );
    return { label: label ?? usual.replace(/\d+x\d+$/, `${layers}x${width}`), expression, vocab };
  } finally {
    checkpoint.close();
  }
}

/** `800K`, `1.2M`, `3500000`. Throws {@link UsageError}. */
export function parseSize(text: string): number {
  const match = /^(\d+(?:\.\d+)?)([KMG]?)$/i.exec(text);
  const scale = { '': 1, k: 1e3, m: 1e6, g: 1e9 }[match?.[2]?.toLowerCase() ?? ''] ?? NaN;
  const size = Number(match?.[1]) * scale;
  if (!(size >= 1e5))
    throw new UsageError(`"${text}" is not a number of parameters of at least 100K, such as 800K or 1.2M.`);
  return size;
}

/** Resolves all models and makes their labels differ. */
export function resolveModels(specs: readonly ModelSpec[], root: string): ModelSource[] {
  const seen = new Map<string, number>();
  return specs.map((spec) => {
    const model = resolveModel(spec, root);
    const count = (seen.get(model.label) ?? 0) + 1;
    seen.set(model.label, count);
    return count === 1 ? model : { ...model, label: `${model.label} (${count})` };
  });
}

/** What a model is called that has no label of its own, without looking for its file. */
export function usualLabel(source: string): string {
  const cut = source.indexOf('::');
  return cut < 0 ? source : labelOf(source.slice(0, cut), source.slice(cut + 2).trim());
}

/** `GPT in model.py`. */
function labelOf(file: string, expression: string): string {
  const name = /^[\w.]+/.exec(expression)?.[0] ?? expression.slice(0, 20);
  return `${name} in ${path.basename(file)}`;
}
