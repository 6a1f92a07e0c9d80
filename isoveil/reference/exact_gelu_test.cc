#include "isoveil/reference/exact_gelu.h"

#include <ggml-backend.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <random>

namespace isoveil {
namespace {

constexpr int64_t kWidth = 96;
constexpr int64_t kRows = 5;

// The same GELU in the form x / (1 + exp(-2 z)).
double Sigmoidal(double x) { return x / (1 + std::exp(-2 * 0.7978845608028654 * x * (1 + 0.044715 * x * x))); }

struct ContextDeleter {
  void operator()(ggml_context* context) const { ggml_free(context); }
};

struct BackendDeleter {
  void operator()(ggml_backend* backend) const { ggml_backend_free(backend); }
};

class ExactGeluTest : public testing::Test {
 protected:
  ExactGeluTest()
      : context_(ggml_init({.mem_size = 16 << 20, .mem_buffer = nullptr, .no_alloc = false})),
        cpu_(ggml_backend_init_by_type(GGML_BACKEND_DEVICE_TYPE_CPU, nullptr)) {}

  ggml_tensor* Random(int64_t width) {
    ggml_tensor* tensor = ggml_new_tensor_2d(context(), GGML_TYPE_F32, width, kRows);
    std::normal_distribution<float> normal(0, 4);
    for (int64_t i = 0; i < ggml_nelements(tensor); ++i) ggml_get_data_f32(tensor)[i] = normal(random_);
    return tensor;
  }

  // As ggml's scheduler does with a callback that waits for each node; the largest difference from `expected`.
  double Evaluate(ggml_tensor* node, const std::function<double(int64_t row, int64_t i)>& expected, bool exact = true) {
    EXPECT_TRUE(!exact || ExactGelu::Evaluated(node, true, &gelu_));
    ggml_cgraph* graph = ggml_new_graph(context());
    ggml_build_forward_expand(graph, node);
    EXPECT_EQ(ggml_backend_graph_compute(cpu_.get(), graph), GGML_STATUS_SUCCESS);
    EXPECT_TRUE(!exact || ExactGelu::Evaluated(node, false, &gelu_));
    double largest = 0;
    for (int64_t row = 0; row < kRows; ++row) {
      for (int64_t i = 0; i < kWidth; ++i)
        largest = std::max(largest, std::abs(ggml_get_data_f32(node)[row * kWidth + i] - expected(row, i)));
    }
    return largest;
  }

  ggml_context* context() { return context_.get(); }

  ExactGelu gelu_;

 private:
  std::unique_ptr<ggml_context, ContextDeleter> context_;
  std::unique_ptr<ggml_backend, BackendDeleter> cpu_;
  std::mt19937 random_{1};
};

std::vector<float> Values(const ggml_tensor* tensor) {
  const float* data = ggml_get_data_f32(tensor);
  return {data, data + ggml_nelements(tensor)};
}

constexpr double kRounding = 4e-6;  // of fp32, at the largest values here

TEST_F(ExactGeluTest, TakesThePlaceOfTheTable) {
  ggml_tensor* input = Random(kWidth);
  const auto x = Values(input);
  const auto expected = [&](int64_t row, int64_t i) { return Sigmoidal(x[static_cast<size_t>(row * kWidth + i)]); };
  EXPECT_GT(Evaluate(ggml_gelu(context(), input), expected, false), 1e-4);  // llama.cpp's own
  EXPECT_LT(Evaluate(ggml_gelu(context(), input), expected), kRounding);
}

TEST_F(ExactGeluTest, ReadsItsInputBeforeTheResultTakesItsPlace) {
  ggml_tensor* input = Random(kWidth);
  const auto x = Values(input);
  const auto expected = [&](int64_t row, int64_t i) { return Sigmoidal(x[static_cast<size_t>(row * kWidth + i)]); };
  EXPECT_LT(Evaluate(ggml_gelu_inplace(context(), input), expected), kRounding);
}

TEST_F(ExactGeluTest, KnowsGatesInAllTheirForms) {
  ggml_tensor* input = Random(kWidth);
  ggml_tensor* gate = Random(kWidth);
  ggml_tensor* both = Random(2 * kWidth);
  const auto x = Values(input);
  const auto y = Values(gate);
  const auto xy = Values(both);
  const auto at = [](const std::vector<float>& values, int64_t i) {
    return static_cast<double>(values[static_cast<size_t>(i)]);
  };
  EXPECT_LT(
      Evaluate(ggml_geglu_split(context(), input, gate),
               [&](int64_t row, int64_t i) { return Sigmoidal(at(x, row * kWidth + i)) * at(y, row * kWidth + i); }),
      10 * kRounding);
  EXPECT_LT(Evaluate(ggml_geglu(context(), both),
                     [&](int64_t row, int64_t i) {
                       return Sigmoidal(at(xy, 2 * row * kWidth + i)) * at(xy, (2 * row + 1) * kWidth + i);
                     }),
            10 * kRounding);
  EXPECT_LT(Evaluate(ggml_geglu_swapped(context(), both),
                     [&](int64_t row, int64_t i) {
                       return Sigmoidal(at(xy, (2 * row + 1) * kWidth + i)) * at(xy, 2 * row * kWidth + i);
                     }),
            10 * kRounding);
}

TEST_F(ExactGeluTest, OtherOperationsStayAsTheyAre) {
  ggml_tensor* input = Random(kWidth);
  const auto x = Values(input);
  const auto expected = [&](int64_t row, int64_t i) {
    const double value = x[static_cast<size_t>(row * kWidth + i)];
    return value / (1 + std::exp(-value));
  };
  Evaluate(ggml_gelu(context(), Random(kWidth)), expected);  // what it remembers is not written over the next node
  EXPECT_LT(Evaluate(ggml_silu(context(), input), expected), kRounding);
}

TEST_F(ExactGeluTest, RestsWhereThereIsNoGelu) {
  EXPECT_TRUE(ExactGelu::Evaluated(ggml_silu(context(), Random(kWidth)), true, &gelu_));
  gelu_.Rest();
  EXPECT_FALSE(ExactGelu::Evaluated(ggml_silu(context(), Random(kWidth)), true, &gelu_));
  ExactGelu other;
  EXPECT_TRUE(ExactGelu::Evaluated(ggml_gelu(context(), Random(kWidth)), true, &other));
  other.Rest();
  EXPECT_TRUE(ExactGelu::Evaluated(ggml_silu(context(), Random(kWidth)), true, &other));
}

}  // namespace
}  // namespace isoveil
