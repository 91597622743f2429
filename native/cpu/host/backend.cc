// The CPU back end: a program becomes a list of ready calls.
#include <thread>
#include <vector>

#ifdef _OPENMP
#include <omp.h>
#endif

#include "../../errors.h"
#include "../../memory.h"
#include "dispatch.h"
#include "prepare.h"

namespace crossover {
namespace {

int coreCount() {
#ifdef _OPENMP
  return omp_get_num_procs();
#else
  return 1;
#endif
}

Call prepareCall(const Site& site) {
  switch (site.instruction.opcode) {
    case Opcode::constant:
      return prepareConstant(site);
    case Opcode::fused:
      return prepareFused(site);
    case Opcode::matmul:
      return prepareMatmul(site);
    case Opcode::softmax:
    case Opcode::softmax_grad:
    case Opcode::log_softmax:
    case Opcode::log_softmax_grad:
    case Opcode::layer_norm:
    case Opcode::layer_norm_grad:
    case Opcode::cross_entropy:
    case Opcode::cross_entropy_grad:
    case Opcode::embedding:
    case Opcode::embedding_grad:
      return prepareRows(site);
    case Opcode::attention:
    case Opcode::attention_grad:
    case Opcode::cached_attention:
    case Opcode::weighted_attention:
    case Opcode::weighted_attention_grad:
    case Opcode::wkv6:
    case Opcode::wkv6_grad:
    case Opcode::wkv7:
    case Opcode::wkv7_grad:
    case Opcode::gla:
    case Opcode::gla_grad:
      return prepareSequence(site);
    case Opcode::wkv4:
    case Opcode::wkv4_grad:
    case Opcode::selective_scan:
    case Opcode::selective_scan_grad:
    case Opcode::short_conv:
    case Opcode::short_conv_grad:
    case Opcode::lstm:
    case Opcode::lstm_grad:
      return prepareScan(site);
    case Opcode::fft:
    case Opcode::rfft:
    case Opcode::irfft:
      return prepareFourier(site);
    case Opcode::gather:
    case Opcode::scatter:
    case Opcode::cumulate:
    case Opcode::arg_extreme:
    case Opcode::top_k:
      return prepareIndexing(site);
    case Opcode::grad_norm:
    case Opcode::adamw:
      return prepareOptimizer(site);
    case Opcode::dropout:
    case Opcode::rng_seed:
    case Opcode::rng_normal:
    case Opcode::rng_uniform:
    case Opcode::rng_trunc_normal:
    case Opcode::rng_orthogonal:
    case Opcode::rng_randint:
    case Opcode::rng_randperm:
    case Opcode::rng_bernoulli:
    case Opcode::rng_skip:
      return prepareRandom(site);
    case Opcode::count:
      break;
  }
  throw Error("program", "The program has an unknown opcode.");
}

/// Scratch memory that grows to what the largest kernel asked for.
void* growScratch(void* owner, std::size_t bytes) {
  auto* scratch = static_cast<Memory*>(owner);
  if (static_cast<std::size_t>(scratch->size()) < bytes) {
    *scratch = Memory();
    *scratch = Memory(static_cast<int64_t>(bytes), "working space of a kernel");
  }
  return scratch->data();
}

class PreparedCpu final : public PreparedProgram {
 public:
  PreparedCpu(const Program& program, const Segments& segments, Random& random, const KernelTable& kernels,
              int threads, Memory& scratch)
      : threads_(threads), scratch_(scratch) {
#ifdef _OPENMP
    omp_set_num_threads(threads);  // what oneDNN sees while it chooses kernels here
#endif
    calls_.reserve(program.instructions.size());
    for (const Instruction& instruction : program.instructions) {
      calls_.push_back(prepareCall({program, instruction, segments, kernels, random, threads}));
    }
  }

  void run(std::size_t instruction, const std::atomic<bool>& cancel) override {
#ifdef _OPENMP
    omp_set_num_threads(threads_);  // a setting of the calling thread; oneDNN reads it
#endif
    Failure failure;
    const Context context{threads_, &cancel, &failure, &growScratch, &scratch_};
    calls_[instruction](context);
    if (const char* what = failure.what.load()) {
      throw Error("data", "Instruction " + std::to_string(instruction) + " met the " + what + " " +
                              std::to_string(failure.value.load()) +
                              ", which is out of range; check the data against the vocabulary.");
    }
  }

 private:
  int threads_;
  Memory& scratch_;
  std::vector<Call> calls_;
};

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(int threads) : kernels_(bestKernels()), threads_(threads > 0 ? threads : coreCount()) {}

  std::unique_ptr<PreparedProgram> prepare(const Program& program, const Segments& segments,
                                           Random& random) override {
    return std::make_unique<PreparedCpu>(program, segments, random, kernels_, threads_, scratch_);
  }

 private:
  const KernelTable& kernels_;
  int threads_;
  Memory scratch_;  // shared by the programs of a session, which run one at a time
};

}  // namespace

std::unique_ptr<Backend> makeCpuBackend(int threads) { return std::make_unique<CpuBackend>(threads); }

CpuDescription describeCpu() {
  return {bestKernels().instructionSet, coreCount(), hasBf16(), oneDnnVersion()};
}

}  // namespace crossover
