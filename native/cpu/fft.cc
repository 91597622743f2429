// Discrete Fourier transforms of rows: complex (fft), of real rows (rfft) and to real rows (irfft). Outputs
// are assigned. Two real rows are transformed as the real and the imaginary part of one complex row.
#include "fft_long.h"

namespace crossover {
namespace CROSSOVER_ARCH {
namespace {

/// Rows [begin, begin + rows) of one outer index of a tensor.
struct Rows {
  float* data;
  int64_t row, point;
};

Rows rowsOf(const FftTensor& tensor, int64_t outer, int64_t row) {
  if (tensor.data == nullptr) return {};
  return {tensor.data + outer * tensor.stride[0] + row * tensor.stride[1], tensor.stride[1],
          tensor.stride[2]};
}

/// Calls body(outer, first row, rows, buffer, other buffer) for blocks of up to `most` rows.
template <class Body>
void forBlocks(const Context& context, const FftArgs& args, int64_t most, const Body& body) {
  const int64_t perOuter = (args.rows + most - 1) / most;
  const int64_t floats = 2 * (args.plan->length + 2);  // two more points: what is left of a real transform
  const std::size_t bytes = static_cast<std::size_t>(2 * floats) * sizeof(Floats);
  char* scratch = context.scratch(bytes);
  parallelFor(context, args.outer * perOuter, 1, [&](int64_t begin, int64_t end, int thread) {
    auto* buffer =
        reinterpret_cast<Floats*>(scratch + Context::scratchStride(bytes) * static_cast<std::size_t>(thread));
    for (int64_t block = begin; block < end; block++) {
      const int64_t row = block % perOuter * most;
      body(block / perOuter, row, least(most, args.rows - row), buffer, buffer + floats);
    }
  });
}

/// Rows of a real tensor as the two parts of complex rows: the first kLanes, then the others.
int64_t half(int64_t rows, int part) {
  const int64_t first = least<int64_t>(kLanes, rows);
  return part == 0 ? first : rows - first;
}

void clear(Floats* to, int64_t step, int64_t begin, int64_t end) {
  for (int64_t i = begin; i < end; i++) to[i * step] = Floats{};
}

/// One part of a row into a plane; what is not given is zero.
void loadPlane(const Rows& in, int64_t given, int64_t points, float* plane) {
  for (int64_t i = 0; i < given && in.data != nullptr; i++) plane[i] = in.data[i * in.point];
  for (int64_t i = in.data == nullptr ? 0 : given; i < points; i++) plane[i] = 0;
}
void storePlane(const float* plane, float scale, int64_t points, const Rows& out) {
  for (int64_t i = 0; i < points && out.data != nullptr; i++) out.data[i * out.point] = plane[i] * scale;
}

/// Calls body(outer, row, is there a row after it, planes, transform) for every row, or for every second one.
/// transform() gives the planes that hold the result.
template <class Body>
void forLongRows(const Context& context, const FftArgs& args, int64_t step, const Body& body) {
  const FftPlan& plan = *args.plan;
  const int64_t perOuter = (args.rows + step - 1) / step;
  const int64_t points = roundUp(plan.length, 16);
  const int64_t lanes = 2 * most(plan.columns->n, plan.rows->n);
  const std::size_t bytes = static_cast<std::size_t>(4 * points) * sizeof(float) +
                            static_cast<std::size_t>(2 * lanes) * sizeof(Floats);
  char* scratch = context.scratch(bytes);
  parallelFor(context, args.outer * perOuter, 1, [&](int64_t begin, int64_t end, int thread) {
    auto* planes =
        reinterpret_cast<float*>(scratch + Context::scratchStride(bytes) * static_cast<std::size_t>(thread));
    const Planes x{planes, planes + points}, y{planes + 2 * points, planes + 3 * points};
    auto* buffer = reinterpret_cast<Floats*>(planes + 4 * points);
    for (int64_t block = begin; block < end && !context.stopped(); block++) {
      const int64_t row = block % perOuter * step;
      body(block / perOuter, row, row + 1 < args.rows, x,
           [&] { return fftLong(plan, x, y, buffer, buffer + lanes); });
    }
  });
}

void longFft(const Context& context, const FftArgs& args) {
  const int64_t n = args.plan->n;
  forLongRows(context, args, 1, [&](int64_t outer, int64_t row, bool, Planes x, const auto& transform) {
    loadPlane(rowsOf(args.inRe, outer, row), args.in, n, args.inverse ? x.im : x.re);
    loadPlane(rowsOf(args.inIm, outer, row), args.in, n, args.inverse ? x.re : x.im);
    const Planes z = transform();
    storePlane(args.inverse ? z.im : z.re, args.scale, args.out, rowsOf(args.outRe, outer, row));
    storePlane(args.inverse ? z.re : z.im, args.scale, args.out, rowsOf(args.outIm, outer, row));
  });
}

/// Two rows, or one and nothing.
struct RowPair {
  Rows first, second;
};
RowPair pairOf(const FftTensor& tensor, int64_t outer, int64_t row, bool both) {
  return {rowsOf(tensor, outer, row), both ? rowsOf(tensor, outer, row + 1) : Rows{}};
}

void longRfft(const Context& context, const FftArgs& args) {
  const int64_t n = args.plan->n;
  forLongRows(context, args, 2, [&](int64_t outer, int64_t row, bool both, Planes x, const auto& transform) {
    const RowPair in = pairOf(args.inRe, outer, row, both);
    loadPlane(in.first, args.in, n, x.re), loadPlane(in.second, args.in, n, x.im);
    const Planes z = transform();
    const RowPair re = pairOf(args.outRe, outer, row, both), im = pairOf(args.outIm, outer, row, both);
    for (int64_t k = 0; k < args.out; k++) {
      const int64_t mirror = k == 0 ? 0 : n - k;
      const float scale = 0.5f * args.scale * (k == 0 || 2 * k == n ? 1 : args.interior);
      re.first.data[k * re.first.point] = (z.re[k] + z.re[mirror]) * scale;
      im.first.data[k * im.first.point] = (z.im[k] - z.im[mirror]) * scale;
      if (!both) continue;
      re.second.data[k * re.second.point] = (z.im[k] + z.im[mirror]) * scale;
      im.second.data[k * im.second.point] = (z.re[mirror] - z.re[k]) * scale;
    }
  });
}

void longIrfft(const Context& context, const FftArgs& args) {
  const int64_t n = args.plan->n;
  forLongRows(context, args, 2, [&](int64_t outer, int64_t row, bool both, Planes x, const auto& transform) {
    const RowPair re = pairOf(args.inRe, outer, row, both), im = pairOf(args.inIm, outer, row, both);
    for (int64_t k = 0; 2 * k <= n; k++) {
      const bool given = k < args.in, alone = k == 0 || 2 * k == n;
      const float weight = alone ? 1 : args.interior;
      const auto bin = [&](const Rows& rows) {
        return given && rows.data != nullptr ? rows.data[k * rows.point] * weight : 0;
      };
      const float a = bin(re.first), b = alone ? 0 : bin(im.first);
      const float c = bin(re.second), d = alone ? 0 : bin(im.second);
      // Parts swapped: the transform is the inverse one.
      x.im[k] = a - d, x.re[k] = b + c;
      if (!alone) x.im[n - k] = a + d, x.re[n - k] = c - b;
    }
    const Planes z = transform();
    const RowPair out = pairOf(args.outRe, outer, row, both);
    storePlane(z.im, args.scale, args.out, out.first), storePlane(z.re, args.scale, args.out, out.second);
  });
}

}  // namespace

/// out_k = scale sum_j in_j exp(-+ 2 pi i j k / n) for the first points k, points of `in` beyond its last
/// being zero.
void fft(const Context& context, const FftArgs& args) {
  if (args.plan->columns != nullptr) return longFft(context, args);
  const FftPlan& plan = *args.plan;
  // With real and imaginary parts swapped before and after, a transform is the inverse one.
  const int re = args.inverse ? 1 : 0, im = 1 - re;
  forBlocks(context, args, kLanes, [&](int64_t outer, int64_t row, int64_t rows, Floats* x, Floats* y) {
    const Rows inRe = rowsOf(args.inRe, outer, row), inIm = rowsOf(args.inIm, outer, row);
    loadRows(inRe.data, inRe.row, inRe.point, rows, args.in, x + re, 2);
    if (inIm.data != nullptr) {
      loadRows(inIm.data, inIm.row, inIm.point, rows, args.in, x + im, 2);
    } else {
      clear(x + im, 2, 0, args.in);
    }
    clear(x, 1, 2 * args.in, 2 * plan.n);
    const Floats* result = fftLanes(plan, x, y);
    const Rows outRe = rowsOf(args.outRe, outer, row), outIm = rowsOf(args.outIm, outer, row);
    storeRows(result + re, 2, args.scale, rows, args.out, outRe.data, outRe.row, outRe.point);
    storeRows(result + im, 2, args.scale, rows, args.out, outIm.data, outIm.row, outIm.point);
  });
}

/// The first bins of real rows; bins but 0 and n / 2 are multiplied by `interior`.
void rfft(const Context& context, const FftArgs& args) {
  if (args.plan->columns != nullptr) return longRfft(context, args);
  const FftPlan& plan = *args.plan;
  const int64_t n = plan.n;
  forBlocks(context, args, 2 * kLanes, [&](int64_t outer, int64_t row, int64_t rows, Floats* x, Floats* y) {
    for (int part = 0; part < 2; part++) {
      const Rows in = rowsOf(args.inRe, outer, row + part * kLanes);
      loadRows(in.data, in.row, in.point, half(rows, part), args.in, x + part, 2);
    }
    clear(x, 1, 2 * args.in, 2 * n);
    const Floats* z = fftLanes(plan, x, y);
    Floats* bins = z == x ? y : x;  // per bin: real and imaginary part of the first rows, then of the others
    for (int64_t k = 0; k < args.out; k++) {
      const Point a = pointAt(z, k), b = pointAt(z, k == 0 ? 0 : n - k);
      const float scale = 0.5f * (k == 0 || 2 * k == n ? 1 : args.interior);
      bins[4 * k] = (a.re + b.re) * scale, bins[4 * k + 1] = (a.im - b.im) * scale;
      bins[4 * k + 2] = (a.im + b.im) * scale, bins[4 * k + 3] = (b.re - a.re) * scale;
    }
    for (int part = 0; part < 2; part++) {
      const Rows re = rowsOf(args.outRe, outer, row + part * kLanes);
      const Rows im = rowsOf(args.outIm, outer, row + part * kLanes);
      const int64_t count = half(rows, part);
      storeRows(bins + 2 * part, 4, args.scale, count, args.out, re.data, re.row, re.point);
      storeRows(bins + 2 * part + 1, 4, args.scale, count, args.out, im.data, im.row, im.point);
    }
  });
}

/// The first points of real rows whose bins are given, of which those but 0 and n / 2 stand for their mirror
/// image too and are multiplied by `interior`; the imaginary parts of these two are not read.
void irfft(const Context& context, const FftArgs& args) {
  if (args.plan->columns != nullptr) return longIrfft(context, args);
  const FftPlan& plan = *args.plan;
  const int64_t n = plan.n;
  forBlocks(context, args, 2 * kLanes, [&](int64_t outer, int64_t row, int64_t rows, Floats* x, Floats* y) {
    for (int part = 0; part < 2; part++) {
      const Rows re = rowsOf(args.inRe, outer, row + part * kLanes);
      const Rows im = rowsOf(args.inIm, outer, row + part * kLanes);
      const int64_t count = half(rows, part);
      loadRows(re.data, re.row, re.point, count, args.in, y + 2 * part, 4);
      loadRows(im.data, im.row, im.point, count, args.in, y + 2 * part + 1, 4);
    }
    // Parts swapped, as above.
    for (int64_t k = 0; 2 * k <= n; k++) {
      if (k >= args.in) {
        setPoint(x, k, Point{});
        if (k > 0) setPoint(x, n - k, Point{});
        continue;
      }
      const Floats *a = y + 4 * k, *b = y + 4 * k + 2;
      if (k == 0 || 2 * k == n) {
        setPoint(x, k, {b[0], a[0]});
        continue;
      }
      setPoint(x, k, {(a[1] + b[0]) * args.interior, (a[0] - b[1]) * args.interior});
      setPoint(x, n - k, {(b[0] - a[1]) * args.interior, (a[0] + b[1]) * args.interior});
    }
    const Floats* result = fftLanes(plan, x, y);
    for (int part = 0; part < 2; part++) {
      const Rows out = rowsOf(args.outRe, outer, row + part * kLanes);
      storeRows(result + 1 - part, 2, args.scale, half(rows, part), args.out, out.data, out.row, out.point);
    }
  });
}

}  // namespace CROSSOVER_ARCH
}  // namespace crossover
