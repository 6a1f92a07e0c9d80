// The loops that touch every weight, compiled for several instruction sets and chosen at run time by
// Google Highway. Plain loops: the compiler vectorises them for each target.
//
// Panels are coordinate-major: coordinate i of lane l is panel[i * stride + l], l < lanes <= stride.
// Instantiated for float and double. Pointers need the alignment of their type only.
#pragma once

#include <cstddef>
#include <cstdint>

namespace isoveil {

// out[i] = the float whose upper half is in[i]; exact.
void WidenBf16(const uint16_t* in, float* out, size_t n);
// Rounds to nearest even. NaNs stay NaNs and become quiet; too large values become infinite.
void NarrowBf16(const float* in, uint16_t* out, size_t n);
// out[i] = in[source[i]]
void Gather16(const uint16_t* in, const uint32_t* source, uint16_t* out, size_t n);

// out[c * out_stride + r] = in[r * in_stride + c] for `rows` x `cols` values; the two do not overlap.
void Transpose(const float* in, size_t in_stride, size_t rows, size_t cols, float* out, size_t out_stride);

// How a float of IEEE's kind lies in an unsigned integer of its size.
struct FloatBits {
  unsigned fraction_bits;
  uint32_t infinite;  // the exponent field of infinities and NaNs: all ones
};

// Flips the sign of value i where negative[i] is 1, and then all signs if `all`. A null `negative` is all
// zeros. U is uint16_t, uint32_t or uint64_t.
template <typename U>
void FlipSigns(U* values, const uint8_t* negative, bool all, size_t n);
// Multiplies value i by 2^(exponent[i] + all). Zeros, infinities and NaNs stay. False if a value is or
// becomes subnormal or infinite, so that bits would be lost; the values are then meaningless. A null
// `exponent` is all zeros.
template <typename U>
bool ShiftExponents(U* values, const int16_t* exponent, int all, FloatBits bits, size_t n);

// The normalised Walsh-Hadamard transform of each run of `run` (a power of two) coordinates.
template <typename T>
void HadamardRuns(T* panel, size_t run, size_t covered, size_t lanes, size_t stride);
// Coordinate i is multiplied by scale[i].
template <typename T>
void ScaleLanes(T* panel, const double* scale, size_t n, size_t lanes, size_t stride);
// out = matrix * in for a row-major b x b matrix; out and in do not overlap, out has `lanes` as stride.
template <typename T>
void DenseLanes(const double* matrix, size_t b, const T* in, size_t in_stride, T* out, size_t lanes);
// (p, q) <- (a_p p + b_p q, a_q q + b_q p)
template <typename T>
void PairLanes(T* p, T* q, double a_p, double b_p, double a_q, double b_q, size_t lanes);

}  // namespace isoveil
