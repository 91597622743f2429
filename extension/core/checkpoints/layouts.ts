/**
 * Known checkpoint layouts: by which tensors each is recognised, what its tensors are called in the zoo's model, and the
 * model's sizes read off their shapes. A tensor that is stored otherwise than the model has it (transposed, or with the rows
 * of rotary pairs in another order) is given as a view, so that reading it puts every number where it belongs.
 */
import type { Checkpoint } from './checkpoint.js';
import { configOf, type Config } from './config.js';
import { equalTensors, type StoredTensor } from './storedTensor.js';
import { bare } from './weightNames.js';
import { WeightsError } from './weightsError.js';

export interface Layout {
  /** Who writes it, e.g. `Hugging Face GPT-2`. */
  readonly title: string;
  /** Zoo models it belongs to. */
  readonly zoo: readonly string[];
  readonly layers: number;
  readonly width: number;
  readonly vocab: number;
  /** Tensors under the zoo model's names. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Builds the zoo model of these sizes. Throws {@link WeightsError} when a size is not in the file and not given. */
  expression(id: string, given: Given): string;
  /** What was done to tensors, or assumed, that a reader should know. */
  readonly notes: readonly string[];
}

/** What the command line says where the checkpoint does not. */
export interface Given {
  readonly heads?: number;
}

type Tensors = ReadonlyMap<string, StoredTensor>;

/** What a family's reader is handed. */
interface Found {
  readonly file: string;
  readonly tensors: Tensors;
  readonly config: Config;
}

/** The layout of a checkpoint's state dict, or `null` when it is none of the table. */
export function recognise(checkpoint: Checkpoint): Layout | null {
  const tensors = new Map([...checkpoint.tensors].map(([name, tensor]) => [bare(name), tensor]));
  const family = FAMILIES.find(({ marks }) => marks.every((mark) => tensors.has(mark)));
  if (family === undefined) return null;
  const found = { file: checkpoint.file, tensors, config: configOf(checkpoint) };
  return family.read(found);
}

interface Family {
  /** Tensors that all stand in such a checkpoint, and together in no other of the table before it. */
  readonly marks: readonly string[];
  read(found: Found): Layout | null;
}

const shapeOf = ({ tensors }: Found, name: string): readonly number[] => tensors.get(name)?.shape ?? [];

/** Blocks: one more than the largest number behind `prefix`. */
function layersOf(tensors: Tensors, prefix: string): number {
  let layers = 0;
  for (const name of tensors.keys()) {
    const number = name.startsWith(prefix) ? Number.parseInt(name.slice(prefix.length), 10) : NaN;
    if (number < 10_000) layers = Math.max(layers, number + 1);
  }
  return layers;
}

/** Tensors under new names; those for which `rename` gives `null` are left out. */
function renamed(tensors: Tensors, rename: (name: string) => string | null): Map<string, StoredTensor> {
  const made = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    const target = rename(name);
    if (target !== null) made.set(target, tensor);
  }
  return made;
}

function replaced(
  tensors: Tensors,
  change: (name: string, tensor: StoredTensor) => StoredTensor,
): Map<string, StoredTensor> {
  return new Map([...tensors].map(([name, tensor]) => [name, change(name, tensor)]));
}

const transposed = (tensor: StoredTensor): StoredTensor => ({
  ...tensor,
  shape: [...tensor.shape].reverse(),
  strides: [...tensor.strides].reverse(),
});

const python = (value: boolean): string => (value ? 'True' : 'False');

// ---- RWKV-LM

/** Sizes that every RWKV version has. */
function rwkv(
  found: Found,
  version: number,
  expression: (layers: number, width: number, vocab: number) => string,
  notes: readonly string[] = [],
): Layout {
  const [vocab = 0, width = 0] = shapeOf(found, 'emb.weight');
  const layers = layersOf(found.tensors, 'blocks.');
  // Released RWKV-7 files hold v0, v1 and v2 of the first block, which nothing uses.
  const unused = version === 7 ? /^blocks\.0\.att\.v[012]$/ : null;
  return {
    title: `RWKV-LM v${version}`,
    zoo: [`rwkv${version}`],
    layers,
    width,
    vocab,
    tensors: renamed(found.tensors, (name) => (unused?.test(name) === true ? null : name)),
    expression: () => expression(layers, width, vocab),
    notes,
  };
}

const sized = (layers: number, width: number, vocab: number): string =>
  `vocab_size=${vocab}, n_layer=${layers}, n_embd=${width}`;

function rwkv4(found: Found): Layout {
  const [hidden = 0] = shapeOf(found, 'blocks.0.ffn.key.weight');
  return rwkv(
    found,
    4,
    (layers, width, vocab) => `RWKV4(RWKV4Config(${sized(layers, width, vocab)}, n_ffn=${hidden}))`,
  );
}

function rwkv5(found: Found): Layout {
  const [heads = 1] = shapeOf(found, 'blocks.0.att.time_decay');
  const [hidden = 0, channels = 0] = shapeOf(found, 'blocks.0.ffn.key.weight');
  const size = channels / heads;
  // RWKV-LM trains heads of 64 channels and divides what they read by 8 before its norm; rwkv.cpp's small models do not.
  const divisor = size === 64 ? 8 : 1;
  return rwkv(
    found,
    5,
    (layers, width, vocab) =>
      `RWKV5(RWKV5Config(${sized(layers, width, vocab)}, head_size=${size}, head_size_divisor=${divisor}, n_ffn=${hidden}))`,
    [
      `The file does not say what heads are divided by before their norm; ${divisor} is taken for heads of ${size} channels.`,
    ],
  );
}

function rwkv6(found: Found): Layout {
  const [, size = 0] = shapeOf(found, 'blocks.0.att.time_faaaa');
  const [, mix = 0] = shapeOf(found, 'blocks.0.att.time_maa_w2');
  const [, decay = 0] = shapeOf(found, 'blocks.0.att.time_decay_w1');
  return rwkv(
    found,
    6,
    (layers, width, vocab) =>
      `RWKV6(RWKV6Config(${sized(layers, width, vocab)}, head_size=${size}, mix_rank=${mix}, decay_rank=${decay}))`,
  );
}

function rwkv7(found: Found): Layout {
  const [, size = 0] = shapeOf(found, 'blocks.0.att.r_k');
  const rank = (letter: string): number =>
    (shapeOf(found, `blocks.1.att.${letter}1`)[1] ?? shapeOf(found, `blocks.0.att.${letter}1`)[1]) || 32;
  const ranks = `decay_rank=${rank('w')}, a_rank=${rank('a')}, v_rank=${rank('v')}, gate_rank=${rank('g')}`;
  return rwkv(
    found,
    7,
    (layers, width, vocab) =>
      `RWKV7(RWKV7Config(${sized(layers, width, vocab)}, head_size=${size}, ${ranks}))`,
  );
}

// ---- GPT-2

/** nanoGPT and minGPT keep linear layers as `nn.Linear`; Hugging Face's GPT-2 keeps them transposed (`Conv1D`). */
function gpt2(found: Found): Layout {
  const prefix = found.tensors.has('transformer.wte.weight') ? '' : 'transformer.';
  // Causal masks are stored beside the weights by minGPT and Hugging Face.
  const mask = /\.attn\.(?:bias|masked_bias)$/;
  let tensors: Tensors = renamed(found.tensors, (name) =>
    mask.test(name) ? null : name.startsWith('lm_head.') ? name : prefix + name,
  );
  const [vocab = 0, width = 0] = tensors.get('transformer.wte.weight')!.shape;
  const fused = tensors.get('transformer.h.0.attn.c_attn.weight')!.shape;
  const huggingFace = fused[0] === width && fused[1] === 3 * width;
  const linear = /\.(?:c_attn|c_proj|c_fc)\.weight$/;
  if (huggingFace)
    tensors = replaced(tensors, (name, tensor) => (linear.test(name) ? transposed(tensor) : tensor));
  const layers = layersOf(tensors, 'transformer.h.');
  const context = tensors.get('transformer.wpe.weight')?.shape[0] ?? 1024;
  const embedding = tensors.get('transformer.wte.weight')!;
  const head = tensors.get('lm_head.weight');
  const tied = head === undefined || equalTensors(head, embedding);
  const bias = tensors.has('transformer.h.0.attn.c_attn.bias');
  // minGPT's head is its own, and its GELU is the tanh form as in Hugging Face's; nanoGPT ties the head and has the exact one.
  const tanh = huggingFace || !tied;
  const heads = (given: Given): number =>
    given.heads ?? found.config.number('n_head', 'num_attention_heads') ?? headsFor(found.file, width);
  return {
    title: huggingFace ? 'Hugging Face GPT-2' : tied ? 'nanoGPT' : 'minGPT',
    zoo: ['gpt2'],
    layers,
    width,
    vocab,
    tensors,
    expression: (_, given) =>
      `GPT2(GPT2Config(block_size=${context}, vocab_size=${vocab}, n_layer=${layers}, n_head=${heads(given)}, n_embd=${width}, ` +
      `bias=${python(bias)}, gelu="${tanh ? 'tanh' : 'none'}", tied=${python(tied)}))`,
    notes: huggingFace
      ? ['Linear layers of Hugging Face GPT-2 were transposed, and GELU is the tanh form.']
      : [],
  };
}

/** 64 channels per head is what every released GPT-2 has; other widths need to be told. */
function headsFor(file: string, width: number): number {
  if (width % 64 === 0) return width / 64;
  throw new WeightsError(
    `${file} does not say how many heads its model has, and a width of ${width} is no multiple of 64: say it with --heads N.`,
  );
}

// ---- Llama and Mistral

/** Names of Meta's code for those of Hugging Face. */
const LLAMA_NAMES: readonly (readonly [RegExp, string])[] = [
  [/^(?:model\.)?embed_tokens\.weight$/, 'tok_embeddings.weight'],
  [/^(?:model\.)?norm\.weight$/, 'norm.weight'],
  [/^lm_head\.weight$/, 'output.weight'],
  [/^(?:model\.)?layers\.(\d+)\.self_attn\.([qkvo])_proj\.weight$/, 'layers.$1.attention.w$2.weight'],
  [/^(?:model\.)?layers\.(\d+)\.mlp\.gate_proj\.weight$/, 'layers.$1.feed_forward.w1.weight'],
  [/^(?:model\.)?layers\.(\d+)\.mlp\.down_proj\.weight$/, 'layers.$1.feed_forward.w2.weight'],
  [/^(?:model\.)?layers\.(\d+)\.mlp\.up_proj\.weight$/, 'layers.$1.feed_forward.w3.weight'],
  [/^(?:model\.)?layers\.(\d+)\.input_layernorm\.weight$/, 'layers.$1.attention_norm.weight'],
  [/^(?:model\.)?layers\.(\d+)\.post_attention_layernorm\.weight$/, 'layers.$1.ffn_norm.weight'],
];
/** Tables of RoPE, computed again by the model. */
const ROPE_TABLE = /(?:^|\.)(?:rotary_emb\.inv_freq|rope\.freqs|freqs_cos|freqs_sin|freqs_cis)$/;

/** `null` for relatives with other parts (biases, norms of queries, experts), which the zoo's Llama is not. */
function huggingFaceLlama(found: Found): Layout | null {
  const foreign = /\.(?:bias|q_norm\.weight|k_norm\.weight)$|block_sparse_moe|\.experts\.|rotary_pos_emb/;
  if ([...found.tensors.keys()].some((name) => foreign.test(name))) return null;
  const renames = renamed(found.tensors, (name) => {
    if (ROPE_TABLE.test(name)) return null;
    const rule = LLAMA_NAMES.find(([pattern]) => pattern.test(name));
    return rule === undefined ? name : name.replace(rule[0], rule[1]);
  });
  const embedding = renames.get('tok_embeddings.weight');
  if (embedding === undefined) return null;
  if (!renames.has('output.weight')) renames.set('output.weight', embedding);
  const size = headSizeOf(found, renames);
  const tensors =
    size === null
      ? renames
      : replaced(renames, (name, tensor) =>
          /\.attention\.w[qk]\.weight$/.test(name) ? adjacentPairs(tensor, size) : tensor,
        );
  const note =
    size === null
      ? []
      : [
          "Rows of Hugging Face's query and key weights were reordered from half-split to adjacent rotary pairs.",
        ];
  return llama(found, 'Hugging Face Llama or Mistral', tensors, size, note);
}

function metaLlama(found: Found): Layout {
  const tensors = renamed(found.tensors, (name) => (ROPE_TABLE.test(name) ? null : name));
  const tables =
    found.tensors.has('freqs_cos') ||
    [...found.config.names()].some((name) => name.startsWith('model_args.'));
  return llama(found, tables ? 'llama2.c' : 'Meta Llama', tensors, headSizeOf(found, tensors), []);
}

/** Channels per head, from a configuration or a table of RoPE; `null` when neither is there. */
function headSizeOf({ config, tensors }: Found, renames: Tensors): number | null {
  const [, width = 0] = renames.get('tok_embeddings.weight')?.shape ?? [];
  const stated = config.number('head_dim');
  if (stated !== null) return stated;
  const heads = config.number('n_heads', 'num_attention_heads');
  if (heads !== null && width % heads === 0) return width / heads;
  for (const [name, tensor] of tensors)
    if (/(?:inv_freq|rope\.freqs)$/.test(name) && tensor.shape.length === 1) return 2 * tensor.shape[0]!;
  const table = tensors.get('freqs_cos')?.shape ?? [];
  return table.length === 2 ? 2 * table[1]! : null;
}

/** Rows of each head from (all first halves, all second halves) to pairs (2j, 2j+1): a view of four axes. */
function adjacentPairs(tensor: StoredTensor, size: number): StoredTensor {
  const [rows = 0, columns = 0] = tensor.shape;
  const [row = 0, column = 0] = tensor.strides;
  if (tensor.shape.length !== 2 || size % 2 !== 0 || rows % size !== 0) return tensor;
  const half = size / 2;
  return {
    ...tensor,
    shape: [rows / size, half, 2, columns],
    strides: [row * size, row, row * half, column],
  };
}

function llama(
  found: Found,
  title: string,
  tensors: Tensors,
  size: number | null,
  notes: readonly string[],
): Layout {
  const [vocab = 0, width = 0] = tensors.get('tok_embeddings.weight')!.shape;
  const layers = layersOf(tensors, 'layers.');
  const [keyRows = 0] = found.tensors.get('layers.0.attention.wk.weight')?.shape ??
    found.tensors.get('model.layers.0.self_attn.k_proj.weight')?.shape ??
    found.tensors.get('layers.0.self_attn.k_proj.weight')?.shape ?? [0];
  const [hidden = 0] = tensors.get('layers.0.feed_forward.w1.weight')?.shape ?? [];
  const epsilon = found.config.number('norm_eps', 'rms_norm_eps') ?? 1e-5;
  const theta = found.config.number('rope_theta') ?? 10_000;
  const window = found.config.number('sliding_window');
  const expression = (id: string, given: Given): string => {
    const perHead = given.heads === undefined ? size : width / given.heads;
    if (perHead === null || (title.startsWith('Hugging') && size === null))
      throw new WeightsError(
        `${found.file} does not say how many heads its model has, and without that queries and keys cannot be read: put its config.json or params.json beside it${title.startsWith('Hugging') ? '' : ', or say --heads N'}.`,
      );
    const [heads, keyHeads] = [width / perHead, keyRows / perHead];
    if (!Number.isInteger(heads) || !Number.isInteger(keyHeads) || perHead % 2 !== 0)
      throw new WeightsError(
        `${found.file} has a width of ${width}, which heads of ${perHead} channels do not divide.`,
      );
    // The rule that rounds the hidden size gives exactly this one.
    const multiplier = (hidden - 0.5) / Math.floor((8 * width) / 3);
    const common =
      `dim=${width}, n_layers=${layers}, n_heads=${heads}, n_kv_heads=${keyHeads}, vocab_size=${vocab}, ` +
      `multiple_of=${hidden}, ffn_dim_multiplier=${multiplier}, norm_eps=${epsilon}, rope_theta=${theta}`;
    return id === 'mistral'
      ? `Mistral(MistralConfig(${common}${window === null ? '' : `, window=${window}`}))`
      : `Llama(LlamaConfig(${common}))`;
  };
  return { title, zoo: ['llama', 'mistral'], layers, width, vocab, tensors, expression, notes };
}

// ---- Mamba

function mamba(found: Found): Layout {
  const version = found.tensors.has('backbone.layers.0.mixer.x_proj.weight') ? 1 : 2;
  const huggingFace = found.tensors.has('backbone.embeddings.weight');
  const tensors = renamed(found.tensors, (name) =>
    name.replace(/^backbone\.embeddings\./, 'backbone.embedding.'),
  );
  const embedding = tensors.get('backbone.embedding.weight');
  if (embedding !== undefined && !tensors.has('lm_head.weight')) tensors.set('lm_head.weight', embedding);
  const [vocab = 0, width = 0] = embedding?.shape ?? [];
  const layers = layersOf(tensors, 'backbone.layers.');
  const mixer = (name: string): readonly number[] => shapeOf(found, `backbone.layers.0.mixer.${name}`);
  const inner = mixer('out_proj.weight')[1] ?? 0;
  const [, , kernel = 4] = mixer('conv1d.weight');
  const sizes = `d_model=${width}, n_layer=${layers}, vocab_size=${vocab}, d_conv=${kernel}, expand=${inner / width}`;
  const expression = (): string => {
    if (version === 1) {
      const [, state = 16] = mixer('A_log');
      const [, rank = 0] = mixer('dt_proj.weight');
      return `Mamba(MambaConfig(${sizes}, d_state=${state}, dt_rank=${rank}))`;
    }
    const [heads = 1] = mixer('A_log');
    const groups = found.config.number('ngroups', 'n_groups') ?? 1;
    const state = ((mixer('conv1d.weight')[0] ?? 0) - inner) / (2 * groups);
    return `Mamba2(Mamba2Config(${sizes}, d_state=${state}, headdim=${inner / heads}, ngroups=${groups}))`;
  };
  const name = version === 1 ? 'Mamba' : 'Mamba-2';
  return {
    title: huggingFace ? `Hugging Face ${name}` : `mamba_ssm ${name}`,
    zoo: [version === 1 ? 'mamba' : 'mamba2'],
    layers,
    width,
    vocab,
    tensors,
    expression,
    notes: [],
  };
}

/** The first whose marks are all there is meant. */
const FAMILIES: readonly Family[] = [
  { marks: ['emb.weight', 'blocks.0.att.r_k'], read: rwkv7 },
  { marks: ['emb.weight', 'blocks.0.att.time_maa_x', 'blocks.0.att.time_faaaa'], read: rwkv6 },
  { marks: ['emb.weight', 'blocks.0.att.time_decay', 'blocks.0.att.ln_x.weight'], read: rwkv5 },
  { marks: ['emb.weight', 'blocks.0.att.time_decay', 'blocks.0.att.time_first'], read: rwkv4 },
  { marks: ['transformer.wte.weight', 'transformer.h.0.attn.c_attn.weight'], read: gpt2 },
  { marks: ['wte.weight', 'h.0.attn.c_attn.weight'], read: gpt2 },
  { marks: ['tok_embeddings.weight', 'layers.0.attention.wq.weight'], read: metaLlama },
  { marks: ['model.embed_tokens.weight', 'model.layers.0.self_attn.q_proj.weight'], read: huggingFaceLlama },
  { marks: ['embed_tokens.weight', 'layers.0.self_attn.q_proj.weight'], read: huggingFaceLlama },
  { marks: ['backbone.layers.0.mixer.A_log', 'backbone.layers.0.mixer.conv1d.weight'], read: mamba },
];
