/**
 * An activation and its derivative in one group (the activation is recomputed for a parameter's gradient) share their
 * expensive part: the normal distribution of GELU, the sigmoid of SiLU.
 */
import type { Node, ValueId } from '../graph.js';
import type { FusedCode, Operand } from './fusedCode.js';
import type { GraphTable } from './table.js';

const DERIVATIVES: Readonly<Record<string, string>> = { gelu: 'gelu_grad', silu: 'silu_grad' };

export class SharedGates {
  /** Values that both an activation and its derivative read, by activation. */
  private readonly both = new Set<string>();
  private readonly gates = new Map<string, Operand>();

  constructor(
    nodes: readonly Node[],
    private readonly table: GraphTable,
  ) {
    const present = new Set(nodes.map((node) => this.key(node.op, node.inputs[node.inputs.length - 1]!)));
    for (const node of nodes) {
      const derivative = DERIVATIVES[node.op];
      const input = node.inputs[0]!;
      if (derivative && present.has(this.key(derivative, input))) this.both.add(this.key(node.op, input));
    }
  }

  private key(op: string, value: ValueId): string {
    return `${op} ${this.table.base(value)}`;
  }

  /** Code of an activation or a derivative that share a gate; `null` for every other node. */
  compute(node: Node, operands: readonly Operand[], code: FusedCode): Operand | null {
    const x = operands[operands.length - 1]!;
    const value = node.inputs[node.inputs.length - 1]!;
    switch (node.op) {
      case 'gelu':
      case 'gelu_grad': {
        if (!this.both.has(this.key('gelu', value))) return null;
        const p = this.gate('gelu', value, () => normalDistribution(x, code));
        return node.op === 'gelu' ? code.emit('mul', x, p) : geluGrad(operands[0]!, x, p, code);
      }
      case 'silu':
      case 'silu_grad': {
        if (!this.both.has(this.key('silu', value))) return null;
        const s = this.gate('silu', value, () => code.emit('sigmoid', x));
        return node.op === 'silu' ? code.emit('mul', x, s) : siluGrad(operands[0]!, x, s, code);
      }
      default:
        return null;
    }
  }

  private gate(op: string, value: ValueId, make: () => Operand): Operand {
    const key = this.key(op, value);
    const gate = this.gates.get(key) ?? make();
    this.gates.set(key, gate);
    return gate;
  }
}

/** (1 + erf(x / sqrt 2)) / 2 */
function normalDistribution(x: Operand, code: FusedCode): Operand {
  const erf = code.emit('erf', code.emit('mul', x, { immediate: Math.SQRT1_2 }));
  return code.emit('fma', erf, { immediate: 0.5 }, { immediate: 0.5 });
}

/** dy (p + x exp(-x^2 / 2) / sqrt(2 pi)) */
function geluGrad(dy: Operand, x: Operand, p: Operand, code: FusedCode): Operand {
  const exponent = code.emit('mul', code.emit('square', x), { immediate: -0.5 });
  const density = code.emit('mul', code.emit('exp', exponent), { immediate: 1 / Math.sqrt(2 * Math.PI) });
  return code.emit('mul', dy, code.emit('fma', x, density, p));
}

/** dy (s + x s (1 - s)) = dy s (1 + x - x s) */
function siluGrad(dy: Operand, x: Operand, s: Operand, code: FusedCode): Operand {
  const y = code.emit('mul', x, s);
  const slope = code.emit('sub', code.emit('add', x, { immediate: 1 }), y);
  return code.emit('mul', code.emit('mul', dy, s), slope);
}
