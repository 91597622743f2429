/** Causal attention of new queries over a cache of keys and values: the step of a decoding transformer. */
import type { TensorType } from '../graph.js';
import { elementCount, show } from '../shapes.js';
import { array } from './arrays.js';
import { attentionRows } from './attention.js';
import { arity, GraphError, number, type NdArray, type Row } from './operation.js';

/** The first `count` rows of dim 2 of a [B, H, S, D] tensor. */
function firstRows(x: NdArray, dim: number, count: number): NdArray {
  const [size, inner] = [x.shape[dim]!, elementCount(x.shape.slice(dim + 1))];
  const data = x.data.filter((_, i) => Math.floor(i / inner) % size < count);
  return array(x.shape.with(dim, count), data);
}

export const cachedAttentionRows: Record<string, Row> = {
  /**
   * q [B, H, T, D], k [B, Hkv, S, D], v [B, Hkv, S, Dv], end i64 [], mask? [B, H, T, S] -> [B, H, T, Dv]. The cache holds
   * `end` tokens, the last T of which are the queries; query i sees keys <= end - T + i. Attribute `scale`.
   */
  cached_attention: {
    infer: (inputs) => {
      arity(inputs, 4, 5);
      const [q, k, v, end, mask] = inputs as [TensorType, TensorType, TensorType, TensorType, TensorType?];
      if (end.dtype !== 'i64' || elementCount(end.shape) !== 1)
        throw new GraphError(`end should be one i64 and is ${end.dtype} ${show(end.shape)}`);
      return attentionRows['sdpa']!.infer(mask ? [q, k, v, mask] : [q, k, v], {}, undefined);
    },
    /** As if the cache were full. */
    flops: ([q, k, v]) => attentionRows['sdpa']!.flops!([q!, k!, v!], { causal: true }, []),
    evaluate: ([q, k, v, end, mask], attrs, outputs, context) => {
      const count = end!.data[0]!;
      const [T, S] = [q!.shape[2]!, k!.shape[2]!];
      if (!(count >= T && count <= S))
        throw new GraphError(`the cache of ${S} tokens does not hold ${count}, of which ${T} are new`);
      const tensors = [q!, firstRows(k!, 2, count), firstRows(v!, 2, count)];
      const shown = mask && mask.shape[3] !== 1 ? firstRows(mask, 3, count) : mask;
      const [tq, tk, tv, , tmask] = context.types;
      return attentionRows['sdpa']!.evaluate!(
        shown ? [...tensors, shown] : tensors,
        { causal: true, scale: number(attrs, 'scale') },
        outputs,
        { ...context, types: tmask ? [tq!, tk!, tv!, tmask] : [tq!, tk!, tv!] },
      );
    },
  },
};
