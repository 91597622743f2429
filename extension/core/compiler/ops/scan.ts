/** The derivative that recurrences over whole sequences share. */
import type { Attrs, ValueId } from '../graph.js';
import type { VjpContext } from './operation.js';

/**
 * Gradients of an operation (inputs.., stateIn?) -> (y, stateOut, saved) by `op`, whose inputs are dy, the operation's
 * `count` inputs, saved, the first state where `takesState`, and stateOut's gradient where there is one.
 */
export function scanVjp(
  op: string,
  count: number,
  { b, inputs, outputs, dys: [dyGiven, dstate] }: VjpContext,
  { takesState = false, attrs = {} }: { takesState?: boolean; attrs?: Attrs } = {},
): (ValueId | null)[] {
  if (dyGiven == null && dstate == null) return inputs.map(() => null);
  const dy = dyGiven ?? b.zerosLike(outputs[0]!);
  const state = inputs.slice(count);
  const given = [dy, ...inputs.slice(0, count), outputs[2]!, ...(takesState ? state : [])];
  return [
    ...b.emit(op, dstate == null ? given : [...given, dstate], {
      ...attrs,
      stateIn: state.length > 0,
      stateOut: dstate != null,
    }),
  ];
}
