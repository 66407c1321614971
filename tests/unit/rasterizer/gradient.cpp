// Takes one gradient with the kernels alone, for machines whose Python is not at hand.
//
// gradient SCENE RESULT: SCENE holds int32 count, width, height; float32 fx, fy, cx, cy; float32 means [N,
// 3], log_scales [N, 3], quats [N, 4], opacities [N], sh0 [N, 3], shN [N, 15, 3]; uint8 photo [H, W, 3]. The
// camera is at the origin. RESULT is float64 loss and float32 gradient [59, N].
#include <cstdint>
#include <cstdio>
#include <vector>

#include "model.hpp"

namespace {

template <typename T>
std::vector<T> read(std::FILE* file, std::size_t count) {
  std::vector<T> values(count);
  if (std::fread(values.data(), sizeof(T), count, file) != count) std::perror("scene");
  return values;
}

}  // namespace

int main(int, char** arguments) {
  std::FILE* scene = std::fopen(arguments[1], "rb");
  if (scene == nullptr) return 1;
  const auto sizes = read<std::int32_t>(scene, 3);
  const auto intrinsics = read<float>(scene, 4);
  const std::size_t n = static_cast<std::size_t>(sizes[0]);
  const auto means = read<float>(scene, 3 * n), log_scales = read<float>(scene, 3 * n);
  const auto quats = read<float>(scene, 4 * n), opacities = read<float>(scene, n);
  const auto sh0 = read<float>(scene, 3 * n), shN = read<float>(scene, 45 * n);
  const auto photo = read<std::uint8_t>(scene, 3 * static_cast<std::size_t>(sizes[1] * sizes[2]));
  std::fclose(scene);

  splat::Model model(sizes[0], 2, true);
  model.append({means.data(), log_scales.data(), quats.data(), opacities.data(), sh0.data(), shN.data(), 3},
               sizes[0]);
  const splat::Camera camera{{1, 0, 0, 0, 1, 0, 0, 0, 1},
                             {0, 0, 0},
                             {0, 0, 0},
                             intrinsics[0],
                             intrinsics[1],
                             intrinsics[2],
                             intrinsics[3],
                             sizes[1],
                             sizes[2]};
  std::vector<float> gradient(splat::kRows * n);
  const splat::StepValues values = model.gradient({camera, 3, {0, 0, 0}}, {photo.data(), nullptr, nullptr},
                                                  {0.2f, {0, 0}}, gradient.data());

  std::FILE* result = std::fopen(arguments[2], "wb");
  if (result == nullptr) return 1;
  std::fwrite(&values.loss, sizeof values.loss, 1, result);
  std::fwrite(gradient.data(), sizeof(float), gradient.size(), result);
  return std::fclose(result);
}
