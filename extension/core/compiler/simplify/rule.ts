/** The form of a simplification. */
import type { GraphBuilder } from '../build.js';
import type { Attrs, TensorType, ValueId } from '../graph.js';

/** Gives a value equal to the node about to be made, or `undefined` to make it. May emit simpler nodes. */
export type Rule = (
  b: GraphBuilder,
  inputs: readonly ValueId[],
  attrs: Attrs,
  type: TensorType,
) => ValueId | undefined;
