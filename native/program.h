// The program: twin of `extension/core/compiler/program.ts`, which says what every opcode does.
//
// A program is a flat list of kernel calls over tensors at fixed places in three segments of memory: state
// (made once per model), arena (activations and gradients) and io (inputs and results of one step).
// Serialized as 64-bit little-endian words; numbers marked f are float64 bits:
//   header:      magic, version, stateBytes, arenaBytes, ioBytes, tensorCount, instructionCount,
//   constantBytes tensor:      segment, storage, byteOffset, rank, shape[rank], strides[rank] instruction:
//   opcode, phase, operandCount, intCount, floatCount, operands[], ints[], floats[] (f) constants:
//   constantBytes bytes, padded to 8
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "cpu/kernels.h"

namespace crossover {

constexpr int64_t kProgramMagic = 0x47505258;
constexpr int64_t kProgramVersion = 1;
constexpr int kSegments = 3;
constexpr int kPhases = 4;
constexpr int kMaxRank = 8;

// clang-format off
#define CROSSOVER_OPCODES(X) \
  X(constant) X(fused) X(matmul) X(softmax) X(softmax_grad) X(log_softmax) X(log_softmax_grad) \
  X(layer_norm) X(layer_norm_grad) X(cross_entropy) X(cross_entropy_grad) X(attention) X(attention_grad) \
  X(cached_attention) \
  X(weighted_attention) X(weighted_attention_grad) \
  X(wkv6) X(wkv6_grad) X(wkv7) X(wkv7_grad) X(wkv4) X(wkv4_grad) X(gla) X(gla_grad) \
  X(selective_scan) X(selective_scan_grad) X(short_conv) X(short_conv_grad) X(lstm) X(lstm_grad) \
  X(fft) X(rfft) X(irfft) \
  X(embedding) X(embedding_grad) X(gather) X(scatter) \
  X(cumulate) X(arg_extreme) X(top_k) X(grad_norm) X(adamw) X(dropout) X(rng_seed) X(rng_normal) \
  X(rng_uniform) X(rng_trunc_normal) X(rng_orthogonal) X(rng_randint) X(rng_randperm) X(rng_bernoulli) \
  X(rng_skip)
// clang-format on

enum class Opcode : int {
#define CROSSOVER_ENUM(name) name,
  CROSSOVER_OPCODES(CROSSOVER_ENUM)
#undef CROSSOVER_ENUM
      count
};

/// Name of an opcode, as in program.ts.
const char* opcodeName(Opcode opcode);
/// Names of all opcodes and of all element-wise operations, by number.
std::vector<std::string> opcodeNames();
std::vector<std::string> fusedOpNames();

struct TensorRef {
  int segment = 0;
  Storage storage = Storage::f32;
  int64_t byteOffset = 0;
  int rank = 0;
  int64_t shape[kMaxRank] = {};
  int64_t strides[kMaxRank] = {};

  int64_t elements() const;
  bool contiguous() const;
};

/// Bytes of one element.
int64_t storageBytes(Storage storage);

struct Instruction {
  Opcode opcode = Opcode::constant;
  int phase = 0;
  std::vector<int32_t> operands;  // index into Program::tensors, or -1
  std::vector<int64_t> ints;
  std::vector<double> floats;
};

struct Program {
  int64_t segmentBytes[kSegments] = {};  // state, arena, io
  std::vector<TensorRef> tensors;
  std::vector<Instruction> instructions;
  std::vector<uint8_t> constants;
};

/// Reads and checks every word: counts, ranks, places of tensors, operands and shapes of instructions. Throws
/// Error with code `program` that says which tensor or instruction and why. The result is safe to run on
/// segments of the stated sizes.
Program parseProgram(const uint8_t* bytes, std::size_t length);

/// Checks operands, kinds, shapes, layouts and attributes of all instructions (part of parseProgram).
void validateInstructions(const Program& program);

}  // namespace crossover
