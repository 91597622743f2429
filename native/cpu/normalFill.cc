// Box-Muller on blocks of 16 uniforms, as PyTorch's AVX2 code rounds it. Compiled without contraction: the
// fused multiply-adds are exactly the ones written. Polynomials: Cephes logf, sinf, cosf.
#include <cmath>
#include <cstring>

#include "kernels.h"

namespace crossover::CROSSOVER_ARCH {
namespace {

inline float fused(float a, float b, float c) { return __builtin_fmaf(a, b, c); }

inline float logPositive(float x) {
  int32_t bits;
  std::memcpy(&bits, &x, 4);
  float e = static_cast<float>((bits >> 23) - 126);
  bits = (bits & 0x007fffff) | 0x3f000000;
  float m;
  std::memcpy(&m, &bits, 4);
  const bool low = m < 0.70710678118654752f;
  e = low ? e - 1.0f : e;
  m = low ? (m - 1.0f) + m : m - 1.0f;
  const float z = m * m;
  float y = 7.0376836292e-2f;
  y = fused(y, m, -1.1514610310e-1f);
  y = fused(y, m, 1.1676998740e-1f);
  y = fused(y, m, -1.2420140846e-1f);
  y = fused(y, m, 1.4249322787e-1f);
  y = fused(y, m, -1.6668057665e-1f);
  y = fused(y, m, 2.0000714765e-1f);
  y = fused(y, m, -2.4999993993e-1f);
  y = fused(y, m, 3.3333331174e-1f);
  y = y * m;
  y = fused(y, z, e * -2.12194440e-4f);
  y = fused(-z, 0.5f, y);
  return fused(e, 0.693359375f, m + y);
}

/// Sine and cosine of an angle >= 0.
inline void sineCosine(float angle, float* sine, float* cosine) {
  int32_t j = static_cast<int32_t>(angle * 1.27323954473516f);
  j = (j + 1) & ~1;
  const float k = static_cast<float>(j);
  float x = fused(k, -0.78515625f, angle);
  x = fused(k, -2.4187564849853515625e-4f, x);
  x = fused(k, -3.77489497744594108e-8f, x);
  const float z = x * x;
  float c = 2.443315711809948e-5f;
  c = fused(c, z, -1.388731625493765e-3f);
  c = fused(c, z, 4.166664568298827e-2f);
  c = c * z;
  c = fused(c, z, -0.5f * z);
  c = c + 1.0f;
  float s = -1.9515295891e-4f;
  s = fused(s, z, 8.3321608736e-3f);
  s = fused(s, z, -1.6666654611e-1f);
  s = s * z;
  s = fused(s, x, x);
  const bool swap = (j & 2) != 0;
  const float a = swap ? c : s, b = swap ? s : c;
  *sine = (j & 4) != 0 ? -a : a;
  *cosine = ((j - 2) & 4) == 0 ? -b : b;
}

}  // namespace

void normalFill(const Context& context, const NormalFillArgs& args) {
  constexpr float kTwoPi = 6.283185307179586f;
  parallelFor(context, args.blocks, 4096, [&](int64_t begin, int64_t end, int) {
    for (int64_t block = begin; block < end; ++block) {
      float* data = args.data + block * 16;
      float radius[8], sine[8], cosine[8];
      for (int k = 0; k < 8; ++k) {
        radius[k] = __builtin_sqrtf(-2.0f * logPositive(1.0f - data[k]));
        sineCosine(kTwoPi * data[k + 8], &sine[k], &cosine[k]);
      }
      for (int k = 0; k < 8; ++k) {
        data[k] = fused(radius[k] * cosine[k], args.std, args.mean);
        data[k + 8] = fused(radius[k] * sine[k], args.std, args.mean);
      }
    }
  });
}

}  // namespace crossover::CROSSOVER_ARCH
