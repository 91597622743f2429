/** Programs to bytes and back; the format stands in `program.ts`. */
import {
  OPCODES,
  PHASES,
  PROGRAM_MAGIC,
  PROGRAM_VERSION,
  SEGMENTS,
  STORAGE,
  type Instruction,
  type Program,
  type TensorRef,
} from './program.js';

const HEADER_WORDS = 8;

/** One buffer of 64-bit little-endian words, then the constants padded to 8 bytes. */
export function serialize(program: Program): Uint8Array {
  let words = HEADER_WORDS;
  for (const tensor of program.tensors) words += 4 + 2 * tensor.shape.length;
  for (const { operands, ints, floats } of program.instructions) {
    words += 5 + operands.length + ints.length + floats.length;
  }
  const bytes = new Uint8Array(words * 8 + Math.ceil(program.constants.length / 8) * 8);
  const data = new DataView(bytes.buffer);
  let at = 0;
  const integer = (value: number) => {
    data.setBigInt64(at, BigInt(value), true);
    at += 8;
  };
  const float = (value: number) => {
    data.setFloat64(at, value, true);
    at += 8;
  };
  for (const value of [
    PROGRAM_MAGIC,
    PROGRAM_VERSION,
    program.stateBytes,
    program.arenaBytes,
    program.ioBytes,
    program.tensors.length,
    program.instructions.length,
    program.constants.length,
  ]) {
    integer(value);
  }
  for (const tensor of program.tensors) {
    integer(SEGMENTS.indexOf(tensor.segment));
    integer(STORAGE.indexOf(tensor.storage));
    integer(tensor.byteOffset);
    integer(tensor.shape.length);
    tensor.shape.forEach(integer);
    tensor.strides.forEach(integer);
  }
  for (const instruction of program.instructions) {
    integer(OPCODES.indexOf(instruction.op));
    integer(PHASES.indexOf(instruction.phase));
    integer(instruction.operands.length);
    integer(instruction.ints.length);
    integer(instruction.floats.length);
    instruction.operands.forEach(integer);
    instruction.ints.forEach(integer);
    instruction.floats.forEach(float);
  }
  bytes.set(program.constants, at);
  return bytes;
}

/** Reads what {@link serialize} wrote. Throws when magic, version or a table index is not ours. */
export function deserialize(bytes: Uint8Array): Program {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  const integer = () => {
    const value = Number(data.getBigInt64(at, true));
    at += 8;
    return value;
  };
  const float = () => {
    const value = data.getFloat64(at, true);
    at += 8;
    return value;
  };
  const named = <T>(table: readonly T[]): T => {
    const index = integer();
    const entry = table[index];
    if (entry === undefined)
      throw new Error(`The program names entry ${index} of a table of ${table.length}.`);
    return entry;
  };
  const list = <T>(length: number, read: () => T): T[] => Array.from({ length }, read);
  if (integer() !== PROGRAM_MAGIC) throw new Error('These bytes are not a program.');
  const version = integer();
  if (version !== PROGRAM_VERSION)
    throw new Error(`The program has version ${version}, not ${PROGRAM_VERSION}.`);
  const [stateBytes, arenaBytes, ioBytes] = [integer(), integer(), integer()];
  const [tensorCount, instructionCount, constantBytes] = [integer(), integer(), integer()];
  const tensors = list(tensorCount, (): TensorRef => {
    const segment = named(SEGMENTS);
    const storage = named(STORAGE);
    const byteOffset = integer();
    const rank = integer();
    return { segment, storage, byteOffset, shape: list(rank, integer), strides: list(rank, integer) };
  });
  const instructions = list(instructionCount, (): Instruction => {
    const op = named(OPCODES);
    const phase = named(PHASES);
    const [operands, ints, floats] = [integer(), integer(), integer()];
    return {
      op,
      phase,
      operands: list(operands, integer),
      ints: list(ints, integer),
      floats: list(floats, float),
    };
  });
  return {
    stateBytes,
    arenaBytes,
    ioBytes,
    tensors,
    instructions,
    constants: bytes.slice(at, at + constantBytes),
  };
}
