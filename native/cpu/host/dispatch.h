// Which instruction set serves.
#pragma once

#include "../kernels.h"

namespace crossover {

/// The kernels for this machine; CROSSOVER_INSTRUCTION_SET=portable|avx2|avx512 in the environment takes
/// lesser ones.
const KernelTable& bestKernels();
/// Whether the CPU multiplies bf16 in hardware.
bool hasBf16();

}  // namespace crossover
