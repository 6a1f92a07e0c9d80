#include "isoveil/algebra/kernels.h"

#include <cmath>
#include <cstring>
#include <type_traits>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "isoveil/algebra/kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace isoveil::HWY_NAMESPACE {
namespace {

void WidenBf16Loop(const uint16_t* HWY_RESTRICT in, float* HWY_RESTRICT out, size_t n) {
  auto* bits = reinterpret_cast<uint32_t*>(out);
  for (size_t i = 0; i < n; ++i) bits[i] = static_cast<uint32_t>(in[i]) << 16;
}

void NarrowBf16Loop(const float* HWY_RESTRICT in, uint16_t* HWY_RESTRICT out, size_t n) {
  const auto* bits = reinterpret_cast<const uint32_t*>(in);
  for (size_t i = 0; i < n; ++i) {
    const uint32_t x = bits[i];
    const uint32_t rounded = (x + 0x7fffU + ((x >> 16) & 1U)) >> 16;
    const bool nan = (x & 0x7fffffffU) > 0x7f800000U;
    out[i] = static_cast<uint16_t>(nan ? ((x >> 16) | 0x40U) : rounded);
  }
}

// Four independent loads in flight: faster here than the gather instructions, which have no 16-bit form.
void Gather16Loop(const uint16_t* HWY_RESTRICT in, const uint32_t* HWY_RESTRICT source, uint16_t* HWY_RESTRICT out,
                  size_t n) {
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const uint64_t a = in[source[i]];
    const uint64_t b = in[source[i + 1]];
    const uint64_t c = in[source[i + 2]];
    const uint64_t d = in[source[i + 3]];
    const uint64_t packed = a | (b << 16) | (c << 32) | (d << 48);
    std::memcpy(out + i, &packed, sizeof(packed));
  }
  for (; i < n; ++i) out[i] = in[source[i]];
}

// In square blocks whose source and target lines both stay in the first-level cache.
void TransposeLoop(const float* HWY_RESTRICT in, size_t in_stride, size_t rows, size_t cols, float* HWY_RESTRICT out,
                   size_t out_stride) {
  constexpr size_t kBlock = 16;
  for (size_t r0 = 0; r0 < rows; r0 += kBlock) {
    const size_t r1 = r0 + kBlock < rows ? r0 + kBlock : rows;
    for (size_t c0 = 0; c0 < cols; c0 += kBlock) {
      const size_t c1 = c0 + kBlock < cols ? c0 + kBlock : cols;
      for (size_t c = c0; c < c1; ++c) {
        for (size_t r = r0; r < r1; ++r) out[c * out_stride + r] = in[r * in_stride + c];
      }
    }
  }
}

template <typename U>
void FlipLoop(U* HWY_RESTRICT values, const uint8_t* HWY_RESTRICT negative, bool all, size_t n) {
  constexpr unsigned kSignBit = sizeof(U) * 8 - 1;
  const U every = static_cast<U>(static_cast<U>(all) << kSignBit);
  if (negative == nullptr) {
    for (size_t i = 0; i < n; ++i) values[i] = static_cast<U>(values[i] ^ every);
  } else {
    for (size_t i = 0; i < n; ++i) {
      values[i] = static_cast<U>(values[i] ^ every ^ static_cast<U>(static_cast<U>(negative[i]) << kSignBit));
    }
  }
}

// All in integers of the value's own width, and without branches, so that it vectorises.
template <typename U>
bool ShiftLoop(U* HWY_RESTRICT values, const int16_t* HWY_RESTRICT exponent, int all, unsigned fraction_bits,
               U infinite, size_t n) {
  using S = std::make_signed_t<U>;
  U lost = 0;
  for (size_t i = 0; i < n; ++i) {
    const U value = values[i];
    const S shift = static_cast<S>(all + (exponent == nullptr ? 0 : exponent[i]));
    const U old = static_cast<U>((value >> fraction_bits) & infinite);
    const U moved = static_cast<U>(old + static_cast<U>(shift));
    const bool fixed = (static_cast<U>(value << 1) == 0) | (old == infinite) | (shift == 0);
    // 0 < x < infinite in one unsigned comparison.
    const bool normal = (static_cast<U>(old - 1) < static_cast<U>(infinite - 1)) &
                        (static_cast<U>(moved - 1) < static_cast<U>(infinite - 1));
    lost = static_cast<U>(lost | static_cast<U>(!fixed & !normal));
    const U step = static_cast<U>(static_cast<U>(shift) << fraction_bits);
    values[i] = static_cast<U>(value + (fixed ? U{0} : step));
  }
  return lost == 0;
}

// One radix-2 step on blocks of 2 * half coordinates.
template <typename T>
void Butterfly2(T* panel, size_t half, size_t covered, size_t lanes, size_t stride, T factor) {
  for (size_t block = 0; block < covered; block += 2 * half) {
    for (size_t i = block; i < block + half; ++i) {
      T* HWY_RESTRICT a = panel + i * stride;
      T* HWY_RESTRICT b = panel + (i + half) * stride;
      for (size_t l = 0; l < lanes; ++l) {
        const T x = a[l];
        const T y = b[l];
        a[l] = (x + y) * factor;
        b[l] = (x - y) * factor;
      }
    }
  }
}

// Two steps in one pass over memory, on blocks of 4 * quarter coordinates.
template <typename T>
void Butterfly4(T* panel, size_t quarter, size_t covered, size_t lanes, size_t stride) {
  const T factor = static_cast<T>(0.5);
  for (size_t block = 0; block < covered; block += 4 * quarter) {
    for (size_t i = block; i < block + quarter; ++i) {
      T* HWY_RESTRICT a = panel + i * stride;
      T* HWY_RESTRICT b = a + quarter * stride;
      T* HWY_RESTRICT c = b + quarter * stride;
      T* HWY_RESTRICT d = c + quarter * stride;
      for (size_t l = 0; l < lanes; ++l) {
        const T ab = a[l] + b[l];
        const T a_b = a[l] - b[l];
        const T cd = c[l] + d[l];
        const T c_d = c[l] - d[l];
        a[l] = (ab + cd) * factor;
        b[l] = (a_b + c_d) * factor;
        c[l] = (ab - cd) * factor;
        d[l] = (a_b - c_d) * factor;
      }
    }
  }
}

// The steps from `step` to `run`.
template <typename T>
void HadamardSteps(T* panel, size_t step, size_t run, size_t covered, size_t lanes, size_t stride) {
  for (; step * 4 <= run; step *= 4) Butterfly4(panel, step, covered, lanes, stride);
  if (step < run) Butterfly2(panel, step, covered, lanes, stride, static_cast<T>(0.70710678118654752440));
}

// The first steps keep to short runs, which are done one after the other while they are in the first-level
// cache.
template <typename T>
void HadamardLoop(T* panel, size_t run, size_t covered, size_t lanes, size_t stride) {
  constexpr size_t kShort = 256;
  if (run <= kShort) return HadamardSteps(panel, 1, run, covered, lanes, stride);
  for (size_t i = 0; i < covered; i += kShort) HadamardSteps(panel + i * stride, 1, kShort, kShort, lanes, stride);
  HadamardSteps(panel, kShort, run, covered, lanes, stride);
}

template <typename T>
void ScaleLoop(T* panel, const double* scale, size_t n, size_t lanes, size_t stride) {
  for (size_t i = 0; i < n; ++i) {
    T* HWY_RESTRICT row = panel + i * stride;
    const T factor = static_cast<T>(scale[i]);
    for (size_t l = 0; l < lanes; ++l) row[l] *= factor;
  }
}

// Four output rows share each load of an input row.
template <typename T>
void DenseLoop(const double* matrix, size_t b, const T* in, size_t in_stride, T* out, size_t lanes) {
  size_t r = 0;
  for (; r + 4 <= b; r += 4) {
    T* HWY_RESTRICT o0 = out + r * lanes;
    T* HWY_RESTRICT o1 = o0 + lanes;
    T* HWY_RESTRICT o2 = o1 + lanes;
    T* HWY_RESTRICT o3 = o2 + lanes;
    std::memset(o0, 0, 4 * lanes * sizeof(T));
    for (size_t c = 0; c < b; ++c) {
      const T* HWY_RESTRICT x = in + c * in_stride;
      const T m0 = static_cast<T>(matrix[r * b + c]);
      const T m1 = static_cast<T>(matrix[(r + 1) * b + c]);
      const T m2 = static_cast<T>(matrix[(r + 2) * b + c]);
      const T m3 = static_cast<T>(matrix[(r + 3) * b + c]);
      for (size_t l = 0; l < lanes; ++l) {
        o0[l] += m0 * x[l];
        o1[l] += m1 * x[l];
        o2[l] += m2 * x[l];
        o3[l] += m3 * x[l];
      }
    }
  }
  for (; r < b; ++r) {
    T* HWY_RESTRICT o = out + r * lanes;
    std::memset(o, 0, lanes * sizeof(T));
    for (size_t c = 0; c < b; ++c) {
      const T* HWY_RESTRICT x = in + c * in_stride;
      const T m = static_cast<T>(matrix[r * b + c]);
      for (size_t l = 0; l < lanes; ++l) o[l] += m * x[l];
    }
  }
}

template <typename T>
void PairLoop(T* HWY_RESTRICT p, T* HWY_RESTRICT q, double a_p, double b_p, double a_q, double b_q, size_t lanes) {
  const T ap = static_cast<T>(a_p);
  const T bp = static_cast<T>(b_p);
  const T aq = static_cast<T>(a_q);
  const T bq = static_cast<T>(b_q);
  for (size_t l = 0; l < lanes; ++l) {
    const T x = p[l];
    const T y = q[l];
    p[l] = ap * x + bp * y;
    q[l] = aq * y + bq * x;
  }
}

// The dispatch tables need plain functions.
void Flip16(uint16_t* v, const uint8_t* m, bool all, size_t n) { FlipLoop(v, m, all, n); }
void Flip32(uint32_t* v, const uint8_t* m, bool all, size_t n) { FlipLoop(v, m, all, n); }
void Flip64(uint64_t* v, const uint8_t* m, bool all, size_t n) { FlipLoop(v, m, all, n); }
bool Shift16(uint16_t* v, const int16_t* e, int all, unsigned bits, uint16_t inf, size_t n) {
  return ShiftLoop(v, e, all, bits, inf, n);
}
bool Shift32(uint32_t* v, const int16_t* e, int all, unsigned bits, uint32_t inf, size_t n) {
  return ShiftLoop(v, e, all, bits, inf, n);
}
bool Shift64(uint64_t* v, const int16_t* e, int all, unsigned bits, uint64_t inf, size_t n) {
  return ShiftLoop(v, e, all, bits, inf, n);
}
void HadamardF(float* p, size_t run, size_t n, size_t lanes, size_t s) { HadamardLoop(p, run, n, lanes, s); }
void HadamardD(double* p, size_t run, size_t n, size_t lanes, size_t s) { HadamardLoop(p, run, n, lanes, s); }
void ScaleF(float* p, const double* f, size_t n, size_t lanes, size_t s) { ScaleLoop(p, f, n, lanes, s); }
void ScaleD(double* p, const double* f, size_t n, size_t lanes, size_t s) { ScaleLoop(p, f, n, lanes, s); }
void DenseF(const double* m, size_t b, const float* in, size_t s, float* out, size_t lanes) {
  DenseLoop(m, b, in, s, out, lanes);
}
void DenseD(const double* m, size_t b, const double* in, size_t s, double* out, size_t lanes) {
  DenseLoop(m, b, in, s, out, lanes);
}
void PairF(float* p, float* q, double ap, double bp, double aq, double bq, size_t lanes) {
  PairLoop(p, q, ap, bp, aq, bq, lanes);
}
void PairD(double* p, double* q, double ap, double bp, double aq, double bq, size_t lanes) {
  PairLoop(p, q, ap, bp, aq, bq, lanes);
}

}  // namespace
}  // namespace isoveil::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace isoveil {

HWY_EXPORT(WidenBf16Loop);
HWY_EXPORT(NarrowBf16Loop);
HWY_EXPORT(Gather16Loop);
HWY_EXPORT(TransposeLoop);
HWY_EXPORT(Flip16);
HWY_EXPORT(Flip32);
HWY_EXPORT(Flip64);
HWY_EXPORT(Shift16);
HWY_EXPORT(Shift32);
HWY_EXPORT(Shift64);
HWY_EXPORT(HadamardF);
HWY_EXPORT(HadamardD);
HWY_EXPORT(ScaleF);
HWY_EXPORT(ScaleD);
HWY_EXPORT(DenseF);
HWY_EXPORT(DenseD);
HWY_EXPORT(PairF);
HWY_EXPORT(PairD);

void WidenBf16(const uint16_t* in, float* out, size_t n) { HWY_DYNAMIC_DISPATCH(WidenBf16Loop)(in, out, n); }
void NarrowBf16(const float* in, uint16_t* out, size_t n) { HWY_DYNAMIC_DISPATCH(NarrowBf16Loop)(in, out, n); }
void Gather16(const uint16_t* in, const uint32_t* source, uint16_t* out, size_t n) {
  HWY_DYNAMIC_DISPATCH(Gather16Loop)(in, source, out, n);
}

void Transpose(const float* in, size_t in_stride, size_t rows, size_t cols, float* out, size_t out_stride) {
  HWY_DYNAMIC_DISPATCH(TransposeLoop)(in, in_stride, rows, cols, out, out_stride);
}

template <>
void FlipSigns(uint16_t* values, const uint8_t* negative, bool all, size_t n) {
  HWY_DYNAMIC_DISPATCH(Flip16)(values, negative, all, n);
}
template <>
bool ShiftExponents(uint16_t* values, const int16_t* exponent, int all, FloatBits bits, size_t n) {
  return HWY_DYNAMIC_DISPATCH(Shift16)(values, exponent, all, bits.fraction_bits, static_cast<uint16_t>(bits.infinite),
                                       n);
}
template <>
void FlipSigns(uint32_t* values, const uint8_t* negative, bool all, size_t n) {
  HWY_DYNAMIC_DISPATCH(Flip32)(values, negative, all, n);
}
template <>
bool ShiftExponents(uint32_t* values, const int16_t* exponent, int all, FloatBits bits, size_t n) {
  return HWY_DYNAMIC_DISPATCH(Shift32)(values, exponent, all, bits.fraction_bits, static_cast<uint32_t>(bits.infinite),
                                       n);
}
template <>
void FlipSigns(uint64_t* values, const uint8_t* negative, bool all, size_t n) {
  HWY_DYNAMIC_DISPATCH(Flip64)(values, negative, all, n);
}
template <>
bool ShiftExponents(uint64_t* values, const int16_t* exponent, int all, FloatBits bits, size_t n) {
  return HWY_DYNAMIC_DISPATCH(Shift64)(values, exponent, all, bits.fraction_bits, static_cast<uint64_t>(bits.infinite),
                                       n);
}

template <>
void HadamardRuns(float* panel, size_t run, size_t covered, size_t lanes, size_t stride) {
  HWY_DYNAMIC_DISPATCH(HadamardF)(panel, run, covered, lanes, stride);
}
template <>
void HadamardRuns(double* panel, size_t run, size_t covered, size_t lanes, size_t stride) {
  HWY_DYNAMIC_DISPATCH(HadamardD)(panel, run, covered, lanes, stride);
}
template <>
void ScaleLanes(float* panel, const double* scale, size_t n, size_t lanes, size_t stride) {
  HWY_DYNAMIC_DISPATCH(ScaleF)(panel, scale, n, lanes, stride);
}
template <>
void ScaleLanes(double* panel, const double* scale, size_t n, size_t lanes, size_t stride) {
  HWY_DYNAMIC_DISPATCH(ScaleD)(panel, scale, n, lanes, stride);
}
template <>
void DenseLanes(const double* matrix, size_t b, const float* in, size_t in_stride, float* out, size_t lanes) {
  HWY_DYNAMIC_DISPATCH(DenseF)(matrix, b, in, in_stride, out, lanes);
}
template <>
void DenseLanes(const double* matrix, size_t b, const double* in, size_t in_stride, double* out, size_t lanes) {
  HWY_DYNAMIC_DISPATCH(DenseD)(matrix, b, in, in_stride, out, lanes);
}
template <>
void PairLanes(float* p, float* q, double a_p, double b_p, double a_q, double b_q, size_t lanes) {
  HWY_DYNAMIC_DISPATCH(PairF)(p, q, a_p, b_p, a_q, b_q, lanes);
}
template <>
void PairLanes(double* p, double* q, double a_p, double b_p, double a_q, double b_q, size_t lanes) {
  HWY_DYNAMIC_DISPATCH(PairD)(p, q, a_p, b_p, a_q, b_q, lanes);
}

}  // namespace isoveil
#endif  // HWY_ONCE
