// Choice of the instruction set by what the CPU and the operating system offer.
#include "dispatch.h"

#include <cstdlib>
#include <cstring>

namespace crossover {

namespace portable {
extern const KernelTable kKernels;
}
#ifdef CROSSOVER_X86
namespace avx2 {
extern const KernelTable kKernels;
}
namespace avx512 {
extern const KernelTable kKernels;
}
#endif

const KernelTable& bestKernels() {
#ifdef CROSSOVER_X86
  const char* wanted = std::getenv("CROSSOVER_INSTRUCTION_SET");
  const auto allows = [&](const char* name) { return wanted == nullptr || std::strcmp(wanted, name) == 0; };
  __builtin_cpu_init();
  if (allows("avx512") && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("fma")) {
    return avx512::kKernels;
  }
  if ((allows("avx2") || allows("avx512")) && __builtin_cpu_supports("avx2") &&
      __builtin_cpu_supports("fma")) {
    return avx2::kKernels;
  }
#endif
  return portable::kKernels;
}

bool hasBf16() {
#ifdef CROSSOVER_X86
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

}  // namespace crossover
