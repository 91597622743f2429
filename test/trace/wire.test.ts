/** Responses are refused, with one kind of error, whatever is wrong with them. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { GraphError } from '../../extension/core/compiler/ops/operation.js';
import { verify } from '../../extension/core/compiler/verify.js';
import { TraceError } from '../../extension/core/trace/tracer.js';
import { decodeResponse } from '../../extension/core/trace/wire.js';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };

/** A small legal response: embedding, a constant, a custom gradient, a loss. */
function response(): { ok: { [name: string]: Json } } {
  return {
    ok: {
      version: 1,
      files: ['/m/model.py'],
      spans: [[0, 3, 8, 3, 20, 'Model.forward']],
      stacks: [[], [0]],
      scopes: ['', 'head'],
      attrs: [
        {},
        { mean: 0, std: 1, small: false },
        { index: 0 },
        { name: 'idx' },
        { name: 'targets' },
        { blob: 0 },
        { ignoreIndex: -100, reduction: 'mean', labelSmoothing: 0 },
        { seed: 7 },
      ],
      init: {
        values: [['f32', 8, 4]],
        nodes: [
          ['rng.seed', [], [], 7, 0, 0, 'init'],
          ['rng.normal', [], [0], 1, 1, 1, 'init'],
        ],
        constants: [],
        customVjps: [],
        outputs: {},
      },
      forward: {
        values: [
          ['f32', 8, 4],
          ['i64', 1, 2],
          ['i64', 1, 2],
          ['f32', 1, 2, 4],
          ['f32', 4],
          ['f32', 1, 2, 4],
          ['f32', 1, 2, 4],
          ['f32', 2, 4],
          ['i64', 2],
          ['f32'],
        ],
        nodes: [
          ['state', [], [0], 2, 0, 0, 'forward'],
          ['input', [], [1], 3, 0, 0, 'forward'],
          ['input', [], [2], 4, 0, 0, 'forward'],
          ['embedding', [0, 1], [3], 0, 1, 1, 'forward'],
          ['constant', [], [4], 5, 0, 0, 'forward'],
          ['mul', [3, 4], [5], 0, 1, 1, 'forward'],
          ['cotangent', [], [6], 0, 1, 1, 'backward'],
          ['reshape', [5], [7], 0, 1, 1, 'forward'],
          ['reshape', [2], [8], 0, 1, 1, 'forward'],
          ['cross_entropy', [7, 8], [9], 6, 1, 1, 'forward'],
        ],
        constants: [Buffer.from(new Float32Array([1, 2, 3, 4]).buffer).toString('base64')],
        customVjps: [[[3], [5], [6], [6]]],
        outputs: { loss: 9, logits: 5 },
      },
      state: [['parameter', ['head.weight', 'tied.weight'], 0, true]],
      optimizer: [[[0], 1, 0.1, 0.9, 0.95, 1e-8]],
      context: 2,
      batch: 1,
      vocab: 8,
      log: 'one line\n',
    },
  };
}

function decode(value: unknown): ReturnType<typeof decodeResponse> {
  return decodeResponse(JSON.stringify(value));
}

const refused = (error: unknown): boolean =>
  error instanceof TraceError && error.code === 'sandbox' && /refused because/.test(error.message);

/** Every place in a JSON value, as the containers and key that hold it. */
function* places(value: Json): Generator<{ holder: Json[] | { [name: string]: Json }; key: string }> {
  if (typeof value !== 'object' || value === null) return;
  const holder = value;
  for (const key of Object.keys(value)) {
    yield { holder, key };
    yield* places((value as { [name: string]: Json })[key]!);
  }
}

describe('wire', () => {
  it('decodes a legal response', () => {
    const trace = decode(response());
    verify(trace.init);
    verify(trace.forward);
    assert.deepEqual(trace.state[0]?.names, ['head.weight', 'tied.weight']);
    assert.deepEqual(trace.optimizer?.[0]?.betas, [0.9, 0.95]);
    assert.deepEqual(new Float32Array(trace.forward.constants[0]!.buffer), new Float32Array([1, 2, 3, 4]));
    assert.equal(trace.forward.nodes[3]?.op, 'embedding');
  });

  it('refuses or survives any one value replaced', () => {
    const bad: Json[] = [-1, 1.5, 2 ** 40, 1e308, 'x', '__proto__', null, true, [], {}, [[[1]]], '\u0000'];
    const count = [...places(response())].length;
    let refusals = 0;
    for (let at = 0; at < count; at++) {
      for (const value of bad) {
        const changed = response();
        const { holder, key } = [...places(changed)][at]!;
        (holder as { [name: string]: Json })[key] = value;
        try {
          const trace = decode(changed);
          verify(trace.init);
          verify(trace.forward);
        } catch (error) {
          if (!(error instanceof GraphError)) assert.ok(refused(error), String(error));
          refusals++;
        }
      }
    }
    assert.ok(refusals > count * bad.length * 0.8, `${refusals} of ${count * bad.length}`);
  });

  it('refuses anything cut off or added', () => {
    const text = JSON.stringify(response());
    for (let length = 0; length < text.length; length += 7) {
      assert.throws(() => decodeResponse(text.slice(0, length)), refused);
    }
    for (const value of [null, 1, 'x', [], {}, { ok: null }, { error: {} }, { error: { code: 'x' } }]) {
      assert.throws(() => decode(value), refused);
    }
  });

  it('keeps names out of prototypes', () => {
    const text = JSON.stringify(response()).replace('{"index":0}', '{"__proto__":{"index":0}}');
    assert.throws(() => decodeResponse(text), refused);
  });

  it('passes on the error of a model', () => {
    const error = { code: 'shape', message: 'It does not fit.', file: '/m/model.py', line: 3 };
    assert.throws(() => decode({ error }), {
      name: 'TraceError',
      code: 'shape',
      file: '/m/model.py',
      line: 3,
    });
  });
});
