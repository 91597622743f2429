/** What each instruction costs and where it comes from; programs as text. */
import type { InstructionOrigin } from './compiled.js';
import { STORAGE_BYTES, type KernelList } from './lower/kernel.js';
import { FUSED_OPS, type Program, type TensorRef } from './program.js';

/** Cost and origin of every kernel, in order. */
export function explain(list: KernelList): InstructionOrigin[] {
  const kept = keptBytes(list);
  return list.kernels.map((kernel, index) => {
    const total = kernel.parts.reduce((sum, part) => sum + part.weight, 0);
    const shares = new Map<string, { stack: number; scope: number; share: number }>();
    for (const { stack, scope, weight } of kernel.parts) {
      const key = `${stack}:${scope}`;
      const share = (shares.get(key)?.share ?? 0) + weight / total;
      shares.set(key, { stack, scope, share });
    }
    return {
      opcode: kernel.op,
      phase: kernel.phase,
      flops: kernel.flops,
      bytes: list.bytes(kernel),
      keptBytes: kept[index]!,
      parts: [...shares.values()],
    };
  });
}

/**
 * Bytes of the arena by the forward kernel that makes them, of what the backward pass reads. A buffer is counted once, where
 * it is written first; views of it and what stands in its place later are no second one.
 */
function keptBytes({ kernels, buffers }: KernelList): number[] {
  const read = new Set<number>();
  for (const { phase, operands, outputs, updates } of kernels)
    if (phase === 'backward')
      for (const [index, view] of operands.entries())
        if (view && (index >= outputs || updates.includes(index))) read.add(view.buffer);
  const seen = new Set<number>();
  return kernels.map(({ phase, operands, outputs }) => {
    let bytes = 0;
    for (const view of operands.slice(0, outputs)) {
      if (!view || seen.has(view.buffer)) continue;
      seen.add(view.buffer);
      const { segment, elements, storage } = buffers[view.buffer]!;
      if (phase === 'forward' && segment === 'arena' && read.has(view.buffer))
        bytes += elements * STORAGE_BYTES[storage];
    }
    return bytes;
  });
}

export function flopsByPhase(origins: readonly InstructionOrigin[]): {
  forward: number;
  backward: number;
  optimizer: number;
} {
  const totals = { forward: 0, backward: 0, optimizer: 0 };
  for (const { phase, flops } of origins) if (phase !== 'init') totals[phase] += flops;
  return totals;
}

/** One line per instruction; `fused` code follows indented. */
export function printProgram(program: Program): string {
  const lines = [
    `program state ${program.stateBytes} arena ${program.arenaBytes} io ${program.ioBytes}`,
    ...program.instructions.flatMap((instruction, i) => {
      const operands = instruction.operands.map((index) =>
        index < 0 ? '-' : tensorText(program.tensors[index]!),
      );
      const fused = instruction.op === 'fused';
      const ints = fused ? '' : ` ints ${instruction.ints.join(' ')}`;
      const floats = instruction.floats.length > 0 ? ` floats ${instruction.floats.join(' ')}` : '';
      const head = `${i} ${instruction.phase} ${instruction.op} (${operands.join(', ')})${ints}${floats}`;
      return fused ? [head, `    ${fusedText(instruction.ints)}`] : [head];
    }),
  ];
  return `${lines.join('\n')}\n`;
}

function tensorText(tensor: TensorRef): string {
  const strides = tensor.strides.join(',');
  return `${tensor.segment}+${tensor.byteOffset} ${tensor.storage}[${tensor.shape.join(',')}]/${strides}`;
}

function fusedText(ints: readonly number[]): string {
  const [lane, outputs, mask] = [ints[0]!, ints[1]!, ints[2]!];
  const stores = Array.from({ length: outputs }, (_, i) => {
    const [reduction, register] = [ints[3 + 3 * i]!, ints[4 + 3 * i]!];
    return `${['store', 'sum', 'max', 'min', 'prod'][reduction]} r${register}`;
  });
  const name = (register: number) => (register >= 128 ? `#${register - 128}` : `r${register}`);
  const steps: string[] = [];
  for (let at = 3 + 3 * outputs; at < ints.length; at += 5) {
    const [op, target, a, b, c] = ints.slice(at, at + 5) as [number, number, number, number, number];
    steps.push(`r${target}=${FUSED_OPS[op]} ${name(a)} ${name(b)} ${name(c)}`);
  }
  return `${lane === 1 ? 'i64' : 'f32'} mask ${mask}: ${[...steps, ...stores].join('; ')}`;
}
