/** Checkpoints of other layouts become the zoo's: names, transposed matrices, rotary pairs; and misfits are told apart. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { fit, type ModelTensor } from '../../extension/core/checkpoints/fit.js';
import { recognise } from '../../extension/core/checkpoints/layouts.js';
import { openCheckpoint } from '../../extension/core/checkpoints/open.js';
import { writeSafetensors } from '../../extension/core/checkpoints/safetensors.js';
import { elementsOf } from '../../extension/core/checkpoints/storedTensor.js';
import { valuesOf } from './values.js';

const folder = mkdtempSync(path.join(tmpdir(), 'crossover-layouts-'));
after(() => rmSync(folder, { recursive: true, force: true }));
const file = path.join(folder, 'x.safetensors');

type Shapes = Readonly<Record<string, readonly number[]>>;

/** Every tensor counts up from its own start, so that each number is found again. */
const valueAt = (shapes: Shapes, name: string, index: number): number =>
  1000 * Object.keys(shapes).indexOf(name) + index;

function write(shapes: Shapes): void {
  const tensors = Object.entries(shapes).map(([name, shape]) => {
    const values = Float32Array.from({ length: elementsOf(shape) }, (_, i) => valueAt(shapes, name, i));
    return { name, storage: 'f32' as const, shape, bytes: new Uint8Array(values.buffer) };
  });
  writeSafetensors(file, tensors);
}

const model = (shapes: Shapes): ModelTensor[] =>
  Object.entries(shapes).map(([name, shape]) => ({ names: [name], shape, required: true }));

/** Values of each tensor of the model, as the fitted checkpoint gives them. */
function fitted(wanted: readonly ModelTensor[]): Record<string, number[]> {
  const checkpoint = openCheckpoint(file);
  try {
    const { tensors } = fit(checkpoint, wanted);
    return Object.fromEntries(
      tensors.map((tensor, i) => [wanted[i]!.names[0]!, tensor === null ? [] : valuesOf(tensor).values]),
    );
  } finally {
    checkpoint.close();
  }
}

function layoutOf(): ReturnType<typeof recognise> {
  const checkpoint = openCheckpoint(file);
  try {
    return recognise(checkpoint);
  } finally {
    checkpoint.close();
  }
}

const block = (D: number): Shapes => ({
  'attn.c_attn.weight': [3 * D, D],
  'attn.c_proj.weight': [D, D],
  'mlp.c_fc.weight': [4 * D, D],
  'mlp.c_proj.weight': [D, 4 * D],
});

test("Hugging Face's GPT-2 is transposed, also where the matrix is square", () => {
  const D = 64;
  const stored: Record<string, readonly number[]> = {
    'wte.weight': [7, D],
    'wpe.weight': [5, D],
    'h.0.attn.bias': [1, 1, 5, 5],
  };
  const wanted: Record<string, readonly number[]> = {
    'transformer.wte.weight': [7, D],
    'transformer.wpe.weight': [5, D],
  };
  for (const [name, shape] of Object.entries(block(D))) {
    stored[`h.0.${name}`] = [...shape].reverse();
    wanted[`transformer.h.0.${name}`] = shape;
  }
  write(stored);
  const found = fitted(model(wanted));
  for (const [name, [rows, columns]] of Object.entries(block(D)) as [string, [number, number]][])
    for (const [row, column] of [
      [0, 1],
      [1, 0],
      [rows - 1, columns - 2],
    ] as const)
      assert.equal(
        found[`transformer.h.0.${name}`]![row * columns + column],
        valueAt(stored, `h.0.${name}`, column * rows + row),
        name,
      );
  const layout = layoutOf()!;
  assert.equal(layout.title, 'Hugging Face GPT-2');
  assert.match(
    layout.expression('gpt2', {}),
    /block_size=5, vocab_size=7, n_layer=1, n_head=1, n_embd=64, bias=False, gelu="tanh", tied=True/,
  );
  assert.match(layout.notes.join(), /transposed/);
});

const llamaBlock: Readonly<Record<string, readonly [string, readonly number[]]>> = {
  'self_attn.q_proj': ['attention.wq', [8, 8]],
  'self_attn.k_proj': ['attention.wk', [4, 8]],
  'self_attn.v_proj': ['attention.wv', [4, 8]],
  'self_attn.o_proj': ['attention.wo', [8, 8]],
  'mlp.gate_proj': ['feed_forward.w1', [12, 8]],
  'mlp.down_proj': ['feed_forward.w2', [8, 12]],
  'mlp.up_proj': ['feed_forward.w3', [12, 8]],
  input_layernorm: ['attention_norm', [8]],
  post_attention_layernorm: ['ffn_norm', [8]],
};

test("Hugging Face's Llama has its rotary pairs put side by side, and only those of queries and keys", () => {
  const stored: Record<string, readonly number[]> = {
    'model.embed_tokens.weight': [7, 8],
    'model.norm.weight': [8],
  };
  const wanted: Record<string, readonly number[]> = {
    'tok_embeddings.weight': [7, 8],
    'norm.weight': [8],
    'output.weight': [7, 8],
  };
  for (const [theirs, [ours, shape]] of Object.entries(llamaBlock)) {
    stored[`model.layers.0.${theirs}.weight`] = shape;
    wanted[`layers.0.${ours}.weight`] = shape;
  }
  write(stored);
  assert.throws(() => layoutOf()!.expression('llama', {}), /put its config\.json or params\.json beside it/);
  const config = { num_attention_heads: 2, num_key_value_heads: 1, rope_theta: 5e5, rms_norm_eps: 1e-6 };
  writeFileSync(path.join(folder, 'config.json'), JSON.stringify(config));
  const found = fitted(model(wanted));
  rmSync(path.join(folder, 'config.json'));
  // Heads of 4: Meta's row 2j + p of a head is Hugging Face's row 2p + j.
  const order = [0, 2, 1, 3];
  for (const [theirs, [ours, [rows = 0, columns = 1]]] of Object.entries(llamaBlock)) {
    const pairs = /[qk]_proj/.test(theirs);
    for (let row = 0; row < rows; row++) {
      const from = pairs ? 4 * Math.floor(row / 4) + order[row % 4]! : row;
      assert.equal(
        found[`layers.0.${ours}.weight`]![row * columns],
        valueAt(stored, `model.layers.0.${theirs}.weight`, from * columns),
        `${theirs} row ${row}`,
      );
    }
  }
  assert.deepEqual(found['output.weight'], found['tok_embeddings.weight']);
});

test("Meta's Llama keeps its rows, and its sizes are read off", () => {
  const stored: Record<string, readonly number[]> = {
    'tok_embeddings.weight': [7, 8],
    'norm.weight': [8],
    'output.weight': [7, 8],
    'rope.freqs': [2],
  };
  for (const [ours, shape] of Object.values(llamaBlock)) stored[`layers.0.${ours}.weight`] = shape;
  write(stored);
  const layout = layoutOf()!;
  assert.match(
    layout.expression('llama', {}),
    /dim=8, n_layers=1, n_heads=2, n_kv_heads=1, vocab_size=7, multiple_of=12,/,
  );
  assert.ok(!layout.tensors.has('rope.freqs'));
  const wanted = { ...stored };
  delete wanted['rope.freqs'];
  assert.equal(
    fitted(model(wanted))['layers.0.attention.wq.weight']![8],
    valueAt(stored, 'layers.0.attention.wq.weight', 8),
  );
});

test('relatives of Llama with other parts are not taken for it', () => {
  const stored = { 'model.embed_tokens.weight': [7, 8], 'model.layers.0.self_attn.q_proj.weight': [8, 8] };
  write({ ...stored, 'model.layers.0.self_attn.q_proj.bias': [8] });
  assert.equal(layoutOf(), null);
});

test('Mamba of Hugging Face and of mamba_ssm: names and sizes', () => {
  const mixer = {
    'backbone.layers.0.mixer.A_log': [16, 4],
    'backbone.layers.0.mixer.conv1d.weight': [16, 1, 4],
    'backbone.layers.0.mixer.x_proj.weight': [9, 16],
    'backbone.layers.0.mixer.dt_proj.weight': [16, 1],
    'backbone.layers.0.mixer.out_proj.weight': [8, 16],
  };
  write({ 'backbone.embeddings.weight': [7, 8], ...mixer });
  const layout = layoutOf()!;
  assert.equal(layout.title, 'Hugging Face Mamba');
  assert.ok(layout.tensors.has('backbone.embedding.weight') && layout.tensors.has('lm_head.weight'));
  assert.match(
    layout.expression('mamba', {}),
    /d_model=8, n_layer=1, vocab_size=7, d_conv=4, expand=2, d_state=4, dt_rank=1/,
  );
});

test('Mamba-2 of mamba_ssm: names and sizes', () => {
  write({
    'backbone.embedding.weight': [7, 8],
    'backbone.layers.0.mixer.A_log': [4],
    'backbone.layers.0.mixer.conv1d.weight': [26, 1, 4],
    'backbone.layers.0.mixer.out_proj.weight': [8, 16],
  });
  const layout = layoutOf()!;
  assert.deepEqual([layout.title, layout.zoo], ['mamba_ssm Mamba-2', ['mamba2']]);
  assert.match(
    layout.expression('mamba2', {}),
    /d_model=8, n_layer=1, vocab_size=7, d_conv=4, expand=2, d_state=5, headdim=4, ngroups=1/,
  );
});

test('a module of your own: what is missing, left over and of another shape stands in one sentence', () => {
  write({ 'a.weight': [2, 3], b: [4], left: [1] });
  const refused = (shapes: Shapes, why: RegExp): void => {
    assert.throws(() => fitted(model(shapes)), why);
  };
  refused(
    { 'a.weight': [2, 3], c: [1], d: [1] },
    /2 tensors are missing \("c", "d"\); 2 of the file are not in the model \("b", "left"\)\.$/,
  );
  refused(
    { 'a.weight': [3, 2], b: [4] },
    /1 tensor has another shape \("a\.weight" is \[2, 3\] where the model has \[3, 2\]\)/,
  );
  assert.deepEqual(fitted(model({ 'a.weight': [1, 2, 3] }))['a.weight'], [0, 1, 2, 3, 4, 5]);
  const buffer = [{ names: ['none'], shape: [2], required: false }];
  assert.deepEqual(fitted(buffer), { none: [] });
  const tied = [{ names: ['b', 'left'], shape: [4], required: true }];
  assert.throws(() => fitted(tied), /different values for "b" and "left", which the model ties/);
});
