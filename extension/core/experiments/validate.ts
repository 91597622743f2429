/** Checks an experiment that came from JSON. What is wrong is said in one sentence that names the field. */
import { mqarProblem } from '../evals/mqar.js';
import type { EvalSpec, Experiment, ModelSpec } from './experiment.js';
import { UsageError } from './usageError.js';

type Fields = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Returns the experiment. Throws {@link UsageError}. */
export function validateExperiment(value: unknown): Experiment {
  const top = object(value, 'the experiment');
  if (top['version'] !== 1)
    throw new UsageError(
      `The experiment has version ${show(top['version'])}, and only version 1 is understood.`,
    );
  known(top, 'the experiment', [
    // What an editor writes to know the schema.
    '$schema',
    'version',
    'title',
    'models',
    'device',
    'precision',
    'vocab',
    'threads',
    'data',
    'timing',
    'decode',
    'train',
    'evals',
  ]);
  for (const key of ['$schema', 'title']) text(top, key, '', true);
  const models = array(top, 'models', '');
  if (models.length === 0) throw new UsageError('"models" must name at least one model.');
  models.forEach((model, index) => checkModel(model, `models[${index}]`));
  if (top['device'] !== 'cpu') throw new UsageError(`"device" must be "cpu", not ${show(top['device'])}.`);
  oneOf(top, 'precision', '', ['fp32', 'bf16']);
  whole(top, 'vocab', '', 2, 2 ** 24);
  if (top['threads'] !== undefined) whole(top, 'threads', '', 1, 1024);
  if (top['data'] !== undefined) checkData(object(top['data'], '"data"'));
  if (top['timing'] !== undefined) checkTiming(object(top['timing'], '"timing"'));
  if (top['decode'] !== undefined) checkDecode(object(top['decode'], '"decode"'));
  if (top['train'] !== undefined) checkTrain(object(top['train'], '"train"'));
  const evals = top['evals'] === undefined ? [] : array(top, 'evals', '');
  evals.forEach((spec, index) => checkEval(object(spec, `"evals[${index}]"`), `evals[${index}]`, top));
  if (['timing', 'decode', 'train'].every((key) => top[key] === undefined) && evals.length === 0)
    throw new UsageError('The experiment measures nothing: give it "timing", "decode", "train" or "evals".');
  return value as Experiment;
}

function checkModel(value: unknown, where: string): asserts value is ModelSpec {
  const model = object(value, `"${where}"`);
  known(model, where, ['source', 'label', 'call', 'env', 'args', 'init', 'weights', 'heads']);
  text(model, 'source', where, false);
  for (const key of ['label', 'call', 'init', 'weights']) text(model, key, where, true);
  if (model['heads'] !== undefined) whole(model, 'heads', where, 1, 65_536);
  const { env, args } = model;
  if (env !== undefined && !(isObject(env) && Object.values(env).every((item) => typeof item === 'string')))
    throw new UsageError(`"${where}.env" must map names to strings.`);
  if (args !== undefined && !(Array.isArray(args) && args.every((item) => typeof item === 'string')))
    throw new UsageError(`"${where}.args" must be a list of strings.`);
}

function checkData(data: Fields): void {
  known(data, 'data', ['path', 'tokenizer', 'vocabulary']);
  text(data, 'path', 'data', true);
  text(data, 'vocabulary', 'data', true);
  oneOf(data, 'tokenizer', 'data', ['byte', 'gpt2', 'rwkv']);
}

function checkTiming(timing: Fields): void {
  known(timing, 'timing', ['contexts', 'tokensPerStep', 'samples']);
  const contexts = wholes(timing, 'contexts', 'timing', 1, 2 ** 22);
  whole(timing, 'tokensPerStep', 'timing', 1, 2 ** 26);
  whole(timing, 'samples', 'timing', 5, 10_000);
  const uneven = contexts.find((context) => Number(timing['tokensPerStep']) % context !== 0);
  if (uneven !== undefined)
    throw new UsageError(
      `A context of ${uneven} does not divide the ${show(timing['tokensPerStep'])} tokens per step: every context must get the same number of tokens.`,
    );
}

function checkDecode(decode: Fields): void {
  known(decode, 'decode', ['contexts', 'samples']);
  wholes(decode, 'contexts', 'decode', 1, 2 ** 22);
  whole(decode, 'samples', 'decode', 5, 10_000);
}

function checkTrain(train: Fields): void {
  known(train, 'train', [
    'context',
    'batch',
    'steps',
    'learningRate',
    'minLearningRate',
    'warmupSteps',
    'weightDecay',
    'clip',
    'seeds',
    'evalEvery',
  ]);
  whole(train, 'context', 'train', 1, 2 ** 22);
  whole(train, 'batch', 'train', 1, 2 ** 20);
  whole(train, 'steps', 'train', 0, 10_000_000);
  positive(train, 'learningRate', 'train', false);
  positive(train, 'minLearningRate', 'train', true);
  positive(train, 'weightDecay', 'train', true);
  positive(train, 'clip', 'train', true);
  if (train['warmupSteps'] !== undefined) whole(train, 'warmupSteps', 'train', 0, 10_000_000);
  if (train['evalEvery'] !== undefined) whole(train, 'evalEvery', 'train', 1, 10_000_000);
  wholes(train, 'seeds', 'train', 0, 2 ** 53 - 1);
}

function checkEval(spec: Fields, where: string, top: Fields): void {
  if (spec['kind'] === 'heldout') {
    known(spec, where, ['kind']);
    if (top['train'] === undefined)
      throw new UsageError(
        `"${where}" scores held-out text after training: give the experiment "train" (steps may be 0).`,
      );
    return;
  }
  if (spec['kind'] !== 'mqar')
    throw new UsageError(`"${where}.kind" must be "heldout" or "mqar", not ${show(spec['kind'])}.`);
  known(spec, where, ['kind', 'context', 'pairs', 'vocab', 'steps', 'batch', 'learningRate', 'seeds']);
  whole(spec, 'context', where, 8, 2 ** 20);
  whole(spec, 'pairs', where, 1, 2 ** 18);
  whole(spec, 'vocab', where, 4, 2 ** 24);
  whole(spec, 'steps', where, 0, 10_000_000);
  whole(spec, 'batch', where, 1, 2 ** 20);
  positive(spec, 'learningRate', where, false);
  wholes(spec, 'seeds', where, 0, 2 ** 53 - 1);
  const problem = mqarProblem(spec as unknown as Extract<EvalSpec, { kind: 'mqar' }>);
  if (problem !== null) throw new UsageError(`"${where}" cannot be made: ${problem}.`);
}

const show = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value));
const at = (where: string, key: string): string => (where === '' ? `"${key}"` : `"${where}.${key}"`);

function object(value: unknown, name: string): Fields {
  if (!isObject(value))
    throw new UsageError(
      `${name.charAt(0).toUpperCase()}${name.slice(1)} must be an object, not ${show(value)}.`,
    );
  return value;
}

function known(fields: Fields, where: string, names: readonly string[]): void {
  const unknown = Object.keys(fields).find((key) => !names.includes(key));
  if (unknown !== undefined)
    throw new UsageError(`There is no field "${unknown}" in ${where}; it may have ${names.join(', ')}.`);
}

function array(fields: Fields, key: string, where: string): readonly unknown[] {
  const value = fields[key];
  if (!Array.isArray(value)) throw new UsageError(`${at(where, key)} must be a list, not ${show(value)}.`);
  return value;
}

function text(fields: Fields, key: string, where: string, optional: boolean): void {
  const value = fields[key];
  if (value === undefined && optional) return;
  if (typeof value !== 'string' || value === '')
    throw new UsageError(`${at(where, key)} must be a text, not ${show(value)}.`);
}

function oneOf(fields: Fields, key: string, where: string, names: readonly string[]): void {
  const value = fields[key];
  if (typeof value !== 'string' || !names.includes(value))
    throw new UsageError(`${at(where, key)} must be one of ${names.join(', ')}, not ${show(value)}.`);
}

function inRange(value: unknown, low: number, high: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= low && (value as number) <= high;
}

function whole(fields: Fields, key: string, where: string, low: number, high: number): void {
  if (!inRange(fields[key], low, high))
    throw new UsageError(
      `${at(where, key)} must be a whole number from ${low} to ${high}, not ${show(fields[key])}.`,
    );
}

function wholes(fields: Fields, key: string, where: string, low: number, high: number): readonly number[] {
  const values = array(fields, key, where);
  const wrong = values.find((value) => !inRange(value, low, high));
  if (values.length === 0) throw new UsageError(`${at(where, key)} must not be empty.`);
  if (wrong !== undefined)
    throw new UsageError(
      `${at(where, key)} must hold whole numbers from ${low} to ${high}, not ${show(wrong)}.`,
    );
  if (new Set(values).size !== values.length)
    throw new UsageError(`${at(where, key)} names something twice: ${show(values)}.`);
  return values as readonly number[];
}

function positive(fields: Fields, key: string, where: string, optional: boolean): void {
  const value = fields[key];
  if (value === undefined && optional) return;
  const allowed = optional ? 'zero or more' : 'above zero';
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0 || (value === 0 && !optional))
    throw new UsageError(`${at(where, key)} must be a number ${allowed}, not ${show(value)}.`);
}
