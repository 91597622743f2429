// The table of the kernels of this instruction set.
#include "kernels.h"

namespace crossover::CROSSOVER_ARCH {

#define CROSSOVER_STRING(text) #text
#define CROSSOVER_TEXT(text) CROSSOVER_STRING(text)

const KernelTable kKernels = {CROSSOVER_TEXT(CROSSOVER_ARCH),
#define CROSSOVER_ENTRY(name, Args) &name,
                              CROSSOVER_KERNELS(CROSSOVER_ENTRY)
#undef CROSSOVER_ENTRY
};

}  // namespace crossover::CROSSOVER_ARCH
