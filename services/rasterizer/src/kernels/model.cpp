#include "model.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "denormals.hpp"
#include "perturb.hpp"
#include "raster.hpp"

namespace splat {
namespace {

constexpr int kGroupBegin[kGroups + 1] = {kMean, kLogScale, kQuat, kOpacity, kSh0, kShN, kRows};

// Calls copy(row, pointer, pitch) for each row present in the columns: its values lie `pitch` floats apart.
template <typename T, typename Copy>
void for_rows(const Columns<T>& columns, const Copy& copy) {
  for (int i = 0; i < 3; ++i) {
    copy(kMean + i, columns.means + i, 3);
    copy(kLogScale + i, columns.log_scales + i, 3);
    copy(kSh0 + i, columns.sh0 + i, 3);
  }
  for (int i = 0; i < 4; ++i) copy(kQuat + i, columns.quats + i, 4);
  copy(kOpacity, columns.opacities, 1);
  const int rest = active_rows(columns.sh_degree) - kShN;
  for (int i = 0; i < rest; ++i) copy(kShN + i, columns.shN + i, rest);
}

}  // namespace

Model::Model(std::int64_t capacity, int threads, bool antialiased)
    : pool_(threads),
      capacity_(capacity),
      antialiased_(antialiased),
      parameters_(block_count(capacity) * kBlockFloats),
      grad2d_(block_count(capacity) * kBlock),
      views_(block_count(capacity) * kBlock) {}

void Model::append(const Columns<const float>& columns, std::int64_t rows) {
  for_rows(columns, [&](int row, const float* from, int pitch) {
    for (std::int64_t i = 0; i < rows; ++i) parameters_.data()[offset_of(count_ + i, row)] = from[i * pitch];
  });
  count_ += rows;
}

void Model::keep(const std::uint8_t* keep) {
  std::vector<std::int64_t> from;
  for (std::int64_t i = 0; i < count_; ++i) {
    if (keep[i]) from.push_back(i);
  }
  const std::int64_t left = static_cast<std::int64_t>(from.size());
  const auto compact = [&](float* data, const auto& place) {
    for (std::int64_t i = 0; i < left; ++i) data[place(i)] = data[place(from[static_cast<std::size_t>(i)])];
    for (std::int64_t i = left; i < count_; ++i) data[place(i)] = 0.0f;
  };
  pool_.for_each(kRows, [&](std::int64_t row) {
    const auto place = [row](std::int64_t i) { return offset_of(i, static_cast<int>(row)); };
    compact(parameters_.data(), place);
    if (!first_.empty()) {
      compact(first_.data(), place);
      compact(second_.data(), place);
    }
  });
  for (float* data : {grad2d_.data(), views_.data()}) compact(data, [](std::int64_t i) { return i; });
  count_ = left;
}

void Model::read(const Columns<float>& columns) const {
  for_rows(columns, [&](int row, float* to, int pitch) {
    for (std::int64_t i = 0; i < count_; ++i) to[i * pitch] = parameters_.data()[offset_of(i, row)];
  });
}

std::int64_t Model::forward(const View& view) {
  const std::int64_t padded = block_count(count_) * kBlock;
  const std::int64_t defects = project(pool_, parameters_.data(), count_, view.camera, view.sh_degree,
                                       antialiased_, projected_.resize(padded), visible_.resize(padded));
  bins_.build(pool_, projected_.data(), visible_.data(), count_, view.camera.width, view.camera.height);
  image_.resize(3, view.camera.width, view.camera.height);
  rasterize(pool_, bins_, projected_.data(), view.background, image_);
  return defects;
}

void Model::render(const View& view, float* rgb) {
  const FlushDenormals flush;
  forward(view);
  from_planes(pool_, image_, rgb);
}

StepValues Model::forward_and_backward(const View& view, const Photo& photo, const Objective& objective,
                                       const AdamState& adam, const StatisticsRows& statistics,
                                       float* gradient) {
  const std::int64_t defects = forward(view);
  const LossValues values = loss_(pool_, image_, photo, objective.ssim_weight, image_gradient_);
  rasterize_backward(pool_, bins_, projected_.data(), image_, image_gradient_,
                     pair_moments_.resize(bins_.pairs() * kMoments));
  const float share = count_ > 0 ? 1.0f / static_cast<float>(count_) : 0.0f;
  const Penalties each{objective.penalties.opacity * share, objective.penalties.scale * share / 3.0f};
  const std::int64_t blocks = block_count(count_);
  project_backward(pool_, parameters_.data(), count_, view.camera, view.sh_degree, antialiased_,
                   visible_.data(), bins_.slots(), pair_moments_.data(), each, penalty_sums_.resize(blocks),
                   adam, statistics, gradient);
  // A Gaussian with NaN in its mean is nowhere on the image, so the loss says what the pixels can not.
  double loss = defects > 0 ? std::numeric_limits<double>::quiet_NaN() : 0.0;
  loss += (1.0 - objective.ssim_weight) * values.l1;
  if (objective.ssim_weight > 0) loss += objective.ssim_weight * (1.0 - values.ssim);
  for (std::int64_t block = 0; block < blocks; ++block) loss += penalty_sums_[block];
  return {loss, values.mse, values.exposure_gradient};
}

StepValues Model::step(const View& view, const Photo& photo, const Objective& objective, const Rates& rates) {
  const FlushDenormals flush;
  if (first_.empty()) {
    first_ = ZeroedFloats(block_count(capacity_) * kBlockFloats);
    second_ = ZeroedFloats(block_count(capacity_) * kBlockFloats);
  }
  const std::int64_t step = steps_ + 1;
  AdamState adam{first_.data(), second_.data(), {}, 0.0f};
  const double first_correction = 1.0 - std::pow(static_cast<double>(kBeta1), step);
  adam.second_scale = static_cast<float>(1.0 / std::sqrt(1.0 - std::pow(static_cast<double>(kBeta2), step)));
  const float group_rates[kGroups] = {rates.means,     rates.log_scales, rates.quats,
                                      rates.opacities, rates.sh0,        rates.shN};
  for (int group = 0; group < kGroups; ++group) {
    const float rate = static_cast<float>(group_rates[group] / first_correction);
    std::fill(adam.rates + kGroupBegin[group], adam.rates + kGroupBegin[group + 1], rate);
  }
  const StepValues values =
      forward_and_backward(view, photo, objective, adam, {grad2d_.data(), views_.data()}, nullptr);
  steps_ = step;
  return values;
}

StepValues Model::gradient(const View& view, const Photo& photo, const Objective& objective,
                           float* gradient) {
  const FlushDenormals flush;
  ZeroedFloats blocks(block_count(count_) * kBlockFloats);
  ZeroedFloats statistics(block_count(count_) * kBlock);
  const StepValues values = forward_and_backward(view, photo, objective, AdamState{},
                                                 {statistics.data(), statistics.data()}, blocks.data());
  for (int row = 0; row < kRows; ++row) {
    for (std::int64_t i = 0; i < count_; ++i) gradient[row * count_ + i] = blocks.data()[offset_of(i, row)];
  }
  return values;
}

void Model::blended(const Camera& camera, const float* values, float* sums) {
  const FlushDenormals flush;
  forward({camera, 0, {0.0f, 0.0f, 0.0f}});
  // With these values as the gradient of the red plane, the red moments are what is asked for.
  image_gradient_.resize(3, camera.width, camera.height);
  for (int y = 0; y < camera.height; ++y) {
    for (int plane = 0; plane < 3; ++plane) {
      std::fill_n(image_gradient_.row(plane, y), image_gradient_.stride, 0.0f);
    }
    std::copy_n(values + static_cast<std::int64_t>(y) * camera.width, camera.width,
                image_gradient_.row(0, y));
  }
  const float* moments = pair_moments_.resize(bins_.pairs() * kMoments);
  rasterize_backward(pool_, bins_, projected_.data(), image_, image_gradient_, pair_moments_.data());
  for (std::int64_t i = 0; i < count_; ++i) {
    sums[i] = 0.0f;
    if (!visible_[i]) continue;
    const Slots& own = bins_.slots()[i];
    for (std::int64_t slot = own.begin; slot < own.end; ++slot) sums[i] += moments[slot * kMoments + kRed];
  }
}

void Model::perturb(float length, std::uint64_t seed) {
  const FlushDenormals flush;
  splat::perturb(pool_, parameters_.data(), count_, length, seed);
}

void Model::reset_statistics() {
  for (float* data : {grad2d_.data(), views_.data()}) std::fill(data, data + count_, 0.0f);
}

void Model::read_state(const State<float>& state) const {
  const std::int64_t floats = block_count(count_) * kBlockFloats;
  std::copy_n(parameters_.data(), floats, state.parameters);
  if (first_.empty()) {
    std::fill_n(state.first, floats, 0.0f);
    std::fill_n(state.second, floats, 0.0f);
  } else {
    std::copy_n(first_.data(), floats, state.first);
    std::copy_n(second_.data(), floats, state.second);
  }
  std::copy_n(grad2d_.data(), count_, state.grad2d);
  std::copy_n(views_.data(), count_, state.views);
}

void Model::restore(const State<const float>& state, std::int64_t count, std::int64_t steps) {
  const auto table = [this, count](const float* from) {
    ZeroedFloats blocks(block_count(capacity_) * kBlockFloats);
    std::copy_n(from, block_count(count) * kBlockFloats, blocks.data());
    return blocks;
  };
  const auto column = [this, count](const float* from) {
    ZeroedFloats values(block_count(capacity_) * kBlock);
    std::copy_n(from, count, values.data());
    return values;
  };
  parameters_ = table(state.parameters);
  first_ = table(state.first);
  second_ = table(state.second);
  grad2d_ = column(state.grad2d);
  views_ = column(state.views);
  count_ = count;
  steps_ = steps;
}

}  // namespace splat
