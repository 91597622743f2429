/** From a trace to the graphs the back end lowers: the list of passes, in order. */
import { canonical } from './canonical.js';
import { differentiate } from './differentiate.js';
import type { Graph, Trace } from './graph.js';
import { eraseDetach, normalize } from './normalize.js';
import { fuseAttentions, fuseLocal, fuseWeightedAttentions } from './patterns/patterns.js';
import { rematerialise } from './remat.js';
import { removeDead, simplify, SimplifyingBuilder } from './simplify.js';
import { verify } from './verify.js';

export interface PrepareOptions {
  /** `forward` makes no gradients; `gradients` and `train` make the same graph, dropout being active in `train`. */
  readonly mode: 'train' | 'gradients' | 'forward';
  /** Keep `logits` as an output of the step. Default: only where there is no loss. */
  readonly keepLogits?: boolean;
  /** Recompute cheap activations in the backward pass instead of keeping them. Default true. */
  readonly remat?: boolean;
  /** Verify after each pass, and call with its name and result. */
  readonly debug?: (pass: string, graph: Graph) => void;
}

export interface Prepared {
  /** Without gradients; outputs `logits` and `loss` as traced. */
  readonly forward: Graph;
  /** What one step runs: `forward` in forward mode, else with outputs `loss` and `grad.<state index>`. */
  readonly step: Graph;
}

function withOutputs(graph: Graph, keep: (name: string) => boolean): Graph {
  return {
    ...graph,
    outputs: Object.fromEntries(Object.entries(graph.outputs).filter(([name]) => keep(name))),
  };
}

/** Throws `GraphError` with one sentence when the trace is illegal or has no loss to differentiate. */
export function prepare(trace: Trace, options: PrepareOptions): Prepared {
  const checked = (pass: string, graph: Graph): Graph => {
    if (options.debug) {
      verify(graph);
      options.debug(pass, graph);
    }
    return graph;
  };
  const keepLogits = options.keepLogits ?? trace.forward.outputs['loss'] === undefined;
  const shown = (name: string): boolean => name !== 'logits' || keepLogits;

  let graph = checked('trace', trace.forward);
  graph = checked('canonical', canonical(graph, options.mode === 'train'));
  graph = checked('simplify', simplify(graph));
  graph = checked('local patterns', fuseLocal(graph));
  graph = checked('attention', fuseAttentions(graph, trace));
  graph = checked('weighted attention', fuseWeightedAttentions(graph, trace));
  graph = checked('normalize', normalize(graph));
  const forward = checked('forward', removeDead(eraseDetach({ ...graph, customVjps: [] })));
  if (options.mode === 'forward')
    return { forward, step: checked('step', removeDead(withOutputs(forward, shown))) };

  let step = differentiate(graph, {
    requiresGrad: (index) => trace.state[index]?.requiresGrad ?? false,
    builder: (source) => new SimplifyingBuilder(source),
  });
  step = checked('differentiate', step);
  step = checked('gradients', removeDead(eraseDetach(withOutputs(step, shown))));
  if (options.remat ?? true) step = checked('rematerialise', rematerialise(step));
  return { forward, step };
}
