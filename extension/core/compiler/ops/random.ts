/**
 * Draws of the init graph, in order. Their values are PyTorch's stream, made by the engine; the interpreter takes
 * them as given arrays, so there is no `evaluate` here.
 */
import { GraphError, arity, declaredOne, type Row } from './operation.js';

const draw = (most = 0): Row => ({
  infer: (inputs, _attrs, declared) => {
    arity(inputs, 0, most);
    return [declaredOne(declared)];
  },
  effect: true,
});

export const randomRows: Record<string, Row> = {
  'rng.seed': {
    infer: (inputs, _attrs, declared) => {
      arity(inputs, 0);
      if (declared && declared.length > 0) throw new GraphError('has no output');
      return [];
    },
    effect: true,
  },
  'rng.normal': draw(),
  'rng.uniform': draw(),
  'rng.trunc_normal': draw(),
  'rng.orthogonal': draw(),
  'rng.randint': draw(),
  'rng.randperm': draw(),
  'rng.bernoulli': draw(1),
};
