// Parsing of serialized programs. Nothing read from the bytes is trusted.
#include "program.h"

#include <cstring>
#include <limits>

#include "cpu/fusedOps.h"
#include "errors.h"

namespace crossover {
namespace {

constexpr int64_t kHuge = std::numeric_limits<int64_t>::max() / 64;

const char* const kOpcodeNames[] = {
#define CROSSOVER_NAME(name) #name,
    CROSSOVER_OPCODES(CROSSOVER_NAME)
#undef CROSSOVER_NAME
};

/// Bounds-checked sequence of little-endian words.
class Words {
 public:
  Words(const uint8_t* bytes, std::size_t length) : bytes_(bytes), length_(length) {}

  int64_t next(const char* what) {
    if (length_ - at_ < 8) throw Error("program", std::string("The program ends before its ") + what + ".");
    uint64_t word = 0;
    for (int i = 7; i >= 0; --i) word = word << 8 | bytes_[at_ + static_cast<std::size_t>(i)];
    at_ += 8;
    return static_cast<int64_t>(word);
  }
  double nextFloat(const char* what) {
    const int64_t word = next(what);
    double value;
    std::memcpy(&value, &word, sizeof value);
    return value;
  }
  /// A word in [low, high].
  int64_t within(const char* what, int64_t low, int64_t high) {
    const int64_t word = next(what);
    if (word < low || word > high) {
      throw Error("program", std::string("The program's ") + what + " is " + std::to_string(word) +
                                 ", not within " + std::to_string(low) + " to " + std::to_string(high) + ".");
    }
    return word;
  }
  /// A count of things that take at least `words` words each in the rest of the program.
  int64_t count(const char* what, int64_t words) {
    return within(what, 0, static_cast<int64_t>(rest() / 8) / words);
  }
  std::size_t rest() const { return length_ - at_; }
  const uint8_t* position() const { return bytes_ + at_; }

 private:
  const uint8_t* bytes_;
  std::size_t length_, at_ = 0;
};

/// Every element of the tensor lies in its segment, in both directions of every stride.
void checkPlace(const TensorRef& tensor, int64_t index, const int64_t* segmentBytes) {
  const auto bad = [&](const std::string& why) {
    throw Error("program", "Tensor " + std::to_string(index) + " of the program " + why + ".");
  };
  const int64_t bytes = storageBytes(tensor.storage);
  if (tensor.byteOffset % bytes != 0) bad("is not aligned to its element size");
  __int128 low = 0, high = 0;
  __int128 elements = 1;
  for (int d = 0; d < tensor.rank; ++d) {
    elements *= tensor.shape[d];
    if (elements > kHuge) bad("has too many elements");
    if (tensor.shape[d] == 0) return;
    const __int128 reach = static_cast<__int128>(tensor.shape[d] - 1) * tensor.strides[d];
    (reach < 0 ? low : high) += reach;
  }
  const __int128 first = tensor.byteOffset + low * bytes;
  const __int128 last = tensor.byteOffset + high * bytes + bytes;
  if (first < 0 || last > segmentBytes[tensor.segment]) {
    bad("reaches outside its segment of " + std::to_string(segmentBytes[tensor.segment]) + " bytes");
  }
}

TensorRef readTensor(Words& words, int64_t index, const int64_t* segmentBytes) {
  TensorRef tensor;
  tensor.segment = static_cast<int>(words.within("tensor segment", 0, kSegments - 1));
  tensor.storage = static_cast<Storage>(words.within("tensor storage", 0, 3));
  tensor.byteOffset = words.within("tensor offset", 0, kHuge);
  tensor.rank = static_cast<int>(words.within("tensor rank", 0, kMaxRank));
  for (int d = 0; d < tensor.rank; ++d) tensor.shape[d] = words.within("tensor shape", 0, kHuge);
  for (int d = 0; d < tensor.rank; ++d) tensor.strides[d] = words.within("tensor stride", -kHuge, kHuge);
  checkPlace(tensor, index, segmentBytes);
  return tensor;
}

Instruction readInstruction(Words& words, int64_t tensorCount) {
  Instruction instruction;
  instruction.opcode = static_cast<Opcode>(words.within("opcode", 0, static_cast<int>(Opcode::count) - 1));
  instruction.phase = static_cast<int>(words.within("phase", 0, kPhases - 1));
  const int64_t operands = words.count("operand count", 1);
  const int64_t ints = words.count("integer count", 1);
  const int64_t floats = words.count("float count", 1);
  for (int64_t i = 0; i < operands; ++i) {
    instruction.operands.push_back(static_cast<int32_t>(words.within("operand", -1, tensorCount - 1)));
  }
  for (int64_t i = 0; i < ints; ++i) instruction.ints.push_back(words.next("integers"));
  for (int64_t i = 0; i < floats; ++i) instruction.floats.push_back(words.nextFloat("floats"));
  return instruction;
}

}  // namespace

const char* opcodeName(Opcode opcode) { return kOpcodeNames[static_cast<int>(opcode)]; }

std::vector<std::string> opcodeNames() {
  return {kOpcodeNames, kOpcodeNames + static_cast<int>(Opcode::count)};
}

std::vector<std::string> fusedOpNames() {
  return {
#define CROSSOVER_NAME(name, arity, integer) #name,
      CROSSOVER_FUSED_OPS(CROSSOVER_NAME)
#undef CROSSOVER_NAME
  };
}

int64_t storageBytes(Storage storage) {
  static constexpr int64_t kBytes[] = {4, 2, 8, 1};
  return kBytes[static_cast<int>(storage)];
}

int64_t TensorRef::elements() const {
  int64_t product = 1;
  for (int d = 0; d < rank; ++d) product *= shape[d];
  return product;
}

bool TensorRef::contiguous() const {
  int64_t expected = 1;
  for (int d = rank - 1; d >= 0; --d) {
    if (shape[d] == 0) return true;
    if (shape[d] != 1 && strides[d] != expected) return false;
    expected *= shape[d];
  }
  return true;
}

Program parseProgram(const uint8_t* bytes, std::size_t length) {
  Words words(bytes, length);
  if (words.next("magic number") != kProgramMagic) {
    throw Error("program", "These bytes are not a Crossover program; compile the model again.");
  }
  const int64_t version = words.next("version");
  if (version != kProgramVersion) {
    throw Error("program", "The program has version " + std::to_string(version) +
                               " and this addon runs version " + std::to_string(kProgramVersion) +
                               "; build both from one checkout.");
  }
  Program program;
  for (int64_t& size : program.segmentBytes) size = words.within("segment size", 0, kHuge);
  const int64_t tensors = words.count("tensor count", 4);
  const int64_t instructions = words.count("instruction count", 5);
  const int64_t constants = words.within("constant size", 0, static_cast<int64_t>(words.rest()));
  program.tensors.reserve(static_cast<std::size_t>(tensors));
  for (int64_t i = 0; i < tensors; ++i) program.tensors.push_back(readTensor(words, i, program.segmentBytes));
  program.instructions.reserve(static_cast<std::size_t>(instructions));
  for (int64_t i = 0; i < instructions; ++i) program.instructions.push_back(readInstruction(words, tensors));
  const std::size_t padded = (static_cast<std::size_t>(constants) + 7) / 8 * 8;
  if (words.rest() != padded) {
    throw Error("program", "The program has " + std::to_string(words.rest()) +
                               " bytes of constants and states " + std::to_string(padded) + ".");
  }
  program.constants.assign(words.position(), words.position() + constants);
  validateInstructions(program);
  return program;
}

}  // namespace crossover
