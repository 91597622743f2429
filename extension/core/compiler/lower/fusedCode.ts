/** Element-wise bytecode of one group: virtual registers first, then at most 96 real ones. */
import { FUSED_OPS, type FusedOp } from '../program.js';

/** First immediate register; what stands below is loaded or computed. */
export const IMMEDIATE = 128;
const REGISTERS = 96;

/** A virtual register (counted from 0, inputs first) or an immediate. */
export type Operand = { readonly register: number } | { readonly immediate: number };

interface Step {
  readonly op: FusedOp;
  readonly target: number;
  readonly operands: readonly Operand[];
  /** For `index`: the dimension. */
  readonly dimension?: number;
}

/** Collects steps and assigns registers. Inputs must all be added before the first step. */
export class FusedCode {
  readonly floats: number[] = [];
  private readonly steps: Step[] = [];
  private next: number;

  constructor(
    readonly inputCount: number,
    private readonly contract: boolean,
  ) {
    this.next = inputCount;
  }

  emit(op: FusedOp, ...operands: Operand[]): Operand {
    const target = this.next++;
    this.steps.push({ op, target, operands });
    return { register: target };
  }

  index(dimension: number): Operand {
    const target = this.next++;
    this.steps.push({ op: 'index', target, operands: [], dimension });
    return { register: target };
  }

  /** The instruction's code words and the real register of each result. */
  finish(results: readonly Operand[]): { code: number[]; stored: number[] } {
    const kept = results.map((result) =>
      'register' in result ? result.register : (this.emit('copy', result) as { register: number }).register,
    );
    const steps = this.contract ? contractMultiplyAdd(this.steps, new Set(kept)) : this.steps;
    const lastUse = new Map<number, number>();
    for (const [i, step] of steps.entries()) {
      for (const operand of step.operands) if ('register' in operand) lastUse.set(operand.register, i);
    }
    for (const register of kept) lastUse.set(register, Infinity);
    const place = new Map<number, number>();
    for (let i = 0; i < this.inputCount; i++) place.set(i, i);
    const free: number[] = [];
    let top = this.inputCount;
    const code: number[] = [];
    for (const [i, step] of steps.entries()) {
      const words = step.operands.map((operand) =>
        'register' in operand ? place.get(operand.register)! : this.immediate(operand.immediate),
      );
      const released = step.operands.flatMap((o) =>
        'register' in o && o.register >= this.inputCount ? [o.register] : [],
      );
      for (const register of new Set(released)) {
        if (lastUse.get(register) === i) free.push(place.get(register)!);
      }
      const target = free.pop() ?? top++;
      if (target >= REGISTERS) throw new Error('A fused group needs more registers than an instruction has.');
      place.set(step.target, target);
      if (!lastUse.has(step.target)) free.push(target);
      if (step.dimension !== undefined) words.push(step.dimension);
      while (words.length < 3) words.push(0);
      code.push(FUSED_OPS.indexOf(step.op), target, ...words);
    }
    return { code, stored: kept.map((register) => place.get(register)!) };
  }

  private immediate(value: number): number {
    let index = this.floats.findIndex((float) => Object.is(float, value));
    if (index < 0) {
      index = this.floats.length;
      this.floats.push(value);
    }
    return IMMEDIATE + index;
  }
}

/** a * b, used once by an addition right in this group, becomes `fma`. */
function contractMultiplyAdd(steps: readonly Step[], kept: ReadonlySet<number>): Step[] {
  const uses = new Map<number, number>();
  for (const step of steps) {
    for (const operand of step.operands) {
      if ('register' in operand) uses.set(operand.register, (uses.get(operand.register) ?? 0) + 1);
    }
  }
  const products = new Map<number, Step>();
  const dropped = new Set<Step>();
  const result: Step[] = [];
  for (const step of steps) {
    if (step.op === 'mul' && uses.get(step.target) === 1 && !kept.has(step.target))
      products.set(step.target, step);
    if (step.op === 'add') {
      const position = step.operands.findIndex((o) => 'register' in o && products.has(o.register));
      const operand = step.operands[position];
      if (operand && 'register' in operand) {
        const factor = products.get(operand.register)!;
        dropped.add(factor);
        result.push({ ...step, op: 'fma', operands: [...factor.operands, step.operands[1 - position]!] });
        continue;
      }
    }
    result.push(step);
  }
  return result.filter((step) => !dropped.has(step));
}
