/**
 * Guesses the expression that builds a model from the text of its Python file: which class is the model, and what its
 * constructor or configuration dataclass needs. Reads text only, runs nothing; the user confirms the guess once.
 */
import { pythonClasses, type PythonClass, type PythonField } from './pythonClasses.js';

export interface EntryGuess {
  readonly className: string;
  /** Python expression with `T` (context) and `V` (vocabulary). */
  readonly expression: string;
}

const CONTEXT =
  /^(block_size|context|context_length|context_size|ctx_len|ctx|max_len|max_length|max_position_embeddings|max_seq_len|max_seq_length|max_sequence_length|n_ctx|n_positions|seq_len|seq_length|sequence_len|sequence_length|T)$/;
const VOCABULARY = /^(vocab|vocab_size|vocabulary|vocabulary_size|n_vocab|num_tokens|padded_vocab_size|V)$/;
const DROPOUT = /^(dropout|resid_pdrop|embd_pdrop|attn_pdrop|dropout_p|dropout_rate|p_drop)$/;
const CONFIGURATION = /^(config|configuration|cfg|args|params|hparams|model_args)$/;
/** Sizes for required arguments without a default: a model small enough for a first look on any machine. */
const SIZES: readonly (readonly [RegExp, string])[] = [
  [/^(n_embd|d_model|dim|width|hidden_size|embed_dim|emb_dim|model_dim|C|D)$/, '384'],
  [/^(n_layers?|num_layers|depth|num_hidden_layers|L)$/, '6'],
  [/^(n_heads?|num_heads|heads|num_attention_heads|H)$/, '6'],
  [/^(head_size|head_dim|d_head)$/, '64'],
  [/^(bias|use_bias)$/, 'False'],
];

/** Classes of the file that are modules, in the order of the file. */
export function moduleClasses(source: string): PythonClass[] {
  return modulesAmong(pythonClasses(source));
}

function modulesAmong(classes: readonly PythonClass[]): PythonClass[] {
  const byName = new Map(classes.map((item) => [item.name, item]));
  return classes.filter((item) => isModule(item, byName));
}

/** Modules of the file from the most to the least likely model; empty when it defines none. */
export function guessEntries(source: string): EntryGuess[] {
  const classes = pythonClasses(source);
  const modules = modulesAmong(classes);
  const score = (item: PythonClass): number => {
    const builtByOthers = modules.some(
      (other) => other !== item && new RegExp(`\\b${item.name}\\s*\\(`).test(other.body),
    );
    const forward = /def\s+forward\s*\(([^)]*)\)/.exec(item.body)?.[1] ?? '';
    return (
      (builtByOthers ? 0 : 8) +
      (/\b(targets?|labels?)\b/.test(forward) ? 4 : 0) +
      (/\b(idx|tokens?|input_ids|ids)\b/.test(forward) ? 2 : 0) +
      (/GPT|RWKV|Mamba|Llama|Transformer|LM$|Model$|Net$/i.test(item.name) ? 1 : 0)
    );
  };
  return modules
    .map((item, index) => ({ item, index, score: score(item) }))
    .sort((a, b) => b.score - a.score || b.index - a.index)
    .map(({ item }) => ({
      className: item.name,
      expression: `${item.name}(${argumentsFor(item, classes).join(', ')})`,
    }));
}

function isModule(item: PythonClass, byName: ReadonlyMap<string, PythonClass>, depth = 0): boolean {
  return item.bases.some((base) => {
    if (/(^|\.)(Module|ScriptModule|LightningModule)$/.test(base)) return true;
    const parent = byName.get(base);
    return depth < 8 && parent !== undefined && parent !== item && isModule(parent, byName, depth + 1);
  });
}

/** Keyword arguments of the constructor; a configuration object is built from its dataclass. */
function argumentsFor(item: PythonClass, classes: readonly PythonClass[]): string[] {
  return item.parameters.flatMap((parameter) => {
    const dataclass = configurationOf(item, parameter, classes);
    if (dataclass !== null) return [`${dataclass.name}(${keywords(dataclass.fields).join(', ')})`];
    return keywords([parameter]);
  });
}

function configurationOf(
  item: PythonClass,
  parameter: PythonField,
  classes: readonly PythonClass[],
): PythonClass | null {
  const holders = classes.filter((other) => other.isDataclass);
  const annotated = holders.find((other) =>
    new RegExp(`\\b${other.name}\\b`).test(parameter.annotation ?? ''),
  );
  if (annotated !== undefined) return annotated;
  if (!CONFIGURATION.test(parameter.name)) return null;
  return (
    holders.find((other) => other.name.startsWith(item.name)) ??
    holders.find((other) => /Config|Args|Params/.test(other.name)) ??
    null
  );
}

/** What must be said for fields: context and vocabulary always, dropout off, sizes only where there is no default. */
function keywords(fields: readonly PythonField[]): string[] {
  return fields.flatMap(({ name, default: value }) => {
    if (CONTEXT.test(name)) return [`${name}=T`];
    if (VOCABULARY.test(name)) return [`${name}=V`];
    if (DROPOUT.test(name)) return value === null || Number(value) !== 0 ? [`${name}=0.0`] : [];
    if (value !== null) return [];
    const size = SIZES.find(([pattern]) => pattern.test(name))?.[1];
    return [`${name}=${size ?? '...'}`];
  });
}
