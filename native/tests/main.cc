// Runs every kernel test once per instruction set that this machine has. Arguments: titles must contain the
// first one.
#include <algorithm>

#include "check.h"

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
}  // namespace crossover

int main(int count, char** arguments) {
  using namespace crossover;
  std::vector<const KernelTable*> tables{&portable::kKernels};
#ifdef CROSSOVER_X86
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) tables.push_back(&avx2::kKernels);
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq")) {
    tables.push_back(&avx512::kKernels);
  }
#endif
  int ran = 0;
  for (const KernelTable* table : tables) {
    std::printf("%s\n", table->instructionSet);
    for (const check::Test& test : check::tests()) {
      if (count > 1 && std::strstr(test.title, arguments[1]) == nullptr) continue;
      int before = check::failures();
      test.run(*table);
      std::printf("  %s %s\n", check::failures() == before ? "ok    " : "FAILED", test.title);
      ++ran;
    }
  }
  std::printf("%d tests, %d failures\n", ran, check::failures());
  return ran == 0 || check::failures() > 0 ? 1 : 0;
}
