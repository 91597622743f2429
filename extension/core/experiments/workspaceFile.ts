/** `crossover.json` at the root of a workspace: how the models of its files are built. A document that can be committed. */
import { UsageError } from './usageError.js';

export const WORKSPACE_FILE = 'crossover.json';

/** Build expressions by model: `model.py::GPT` -> `GPT(GPTConfig(block_size=T, vocab_size=V))`. */
export type BuildExpressions = Readonly<Record<string, string>>;

/** The key of a class: its file relative to the folder of crossover.json, with `/`. */
export function modelKey(relativeFile: string, className: string): string {
  return `${relativeFile.replaceAll('\\', '/')}::${className}`;
}

/** The build expressions of a document. Throws {@link UsageError}; `name` is what its message calls the file. */
export function parseWorkspaceFile(text: string, name = WORKSPACE_FILE): BuildExpressions {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new UsageError(`${name} is not JSON (${why}): mend it, then try again.`);
  }
  return validateWorkspaceFile(value, name);
}

/** The same of a parsed document. Throws {@link UsageError}. */
export function validateWorkspaceFile(value: unknown, name = WORKSPACE_FILE): BuildExpressions {
  if (!isObject(value)) throw new UsageError(`${name} must hold an object.`);
  const unknown = Object.keys(value).find((key) => !['$schema', 'version', 'models'].includes(key));
  if (unknown !== undefined)
    throw new UsageError(`There is no field "${unknown}" in ${name}; it may have version, models.`);
  if (value['version'] !== 1)
    throw new UsageError(`${name} has no "version": 1, the only version that is understood.`);
  const models = value['models'] ?? {};
  if (!isObject(models)) throw new UsageError(`"models" of ${name} must be an object.`);
  for (const [key, expression] of Object.entries(models)) {
    if (!/^.+\.py::[A-Za-z_]\w*$/.test(key))
      throw new UsageError(`"${key}" in ${name} does not name a model as FILE.py::CLASS.`);
    if (typeof expression !== 'string' || expression.trim() === '')
      throw new UsageError(`"${key}" in ${name} must be a Python expression that builds the model.`);
  }
  return models as BuildExpressions;
}

/** The document with one model more, or one changed; `null` where there is no document yet. Throws {@link UsageError}. */
export function withModel(text: string | null, key: string, expression: string, name?: string): string {
  const models = text === null ? {} : parseWorkspaceFile(text, name);
  const before = text === null ? { version: 1 } : (JSON.parse(text) as object);
  const sorted = Object.entries({ ...models, [key]: expression }).sort(([a], [b]) => (a < b ? -1 : 1));
  return `${JSON.stringify({ ...before, models: Object.fromEntries(sorted) }, null, 2)}\n`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
