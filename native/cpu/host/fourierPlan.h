// Plans of Fourier transforms: factors, twiddles and, for lengths with large primes, a chirp.
#pragma once

#include <memory>

#include "../kernels.h"

namespace crossover {

/// The plan of transforms of `n` points, 1 to kMostFftPoints; shared while anybody holds it.
std::shared_ptr<const FftPlan> fftPlan(int64_t n);

}  // namespace crossover
