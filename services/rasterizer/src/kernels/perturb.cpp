// Kheradmand et al., "3D Gaussian Splatting as Markov Chain Monte Carlo", 2024, equation 8, with the
// constants of its code: faint Gaussians move, and farther along their long axes.
//
// Random numbers come from a counter, not from a state: Threefry-4x32-20 (Salmon et al., "Parallel Random
// Numbers: As Easy as 1, 2, 3", 2011) of the Gaussian's index under the seed as key. They become normal by
// the inverse error function (Giles, "Approximating the erfinv Function", GPU Computing Gems, 2011).
#include "perturb.hpp"

#include "layout.hpp"
#include "rotation.hpp"
#include "simd.hpp"

namespace splat {
namespace {

constexpr std::int64_t kBlocksPerTask = 16;
constexpr float kGateSteepness = 100.0f, kGateOpacity = 0.005f;

using Words = std::uint32_t __attribute__((vector_size(4 * SPLAT_LANES)));

inline Words rotate_left(Words value, int by) { return (value << by) | (value >> (32 - by)); }

// Four words for each counter {counter, 0, 0, 0} under the key {seed low, seed high, 0, 0}.
struct Threefry {
  Threefry(Words counter, std::uint64_t seed) : words{counter, Words{}, Words{}, Words{}} {
    constexpr int kRounds = 20;
    constexpr int kRotations[8][2] = {{10, 26}, {11, 21}, {13, 27}, {23, 5},
                                      {6, 20},  {17, 11}, {25, 10}, {18, 20}};
    const std::uint32_t low = static_cast<std::uint32_t>(seed), high = static_cast<std::uint32_t>(seed >> 32);
    const std::uint32_t key[5] = {low, high, 0, 0, 0x1BD11BDAu ^ low ^ high};
    for (int i = 0; i < 4; ++i) words[i] += key[i];
    for (int round = 0; round < kRounds; ++round) {
      const int (&by)[2] = kRotations[round % 8];
      Words &odd = words[round % 2 == 0 ? 1 : 3], &other = words[round % 2 == 0 ? 3 : 1];
      words[0] += odd;
      odd = rotate_left(odd, by[0]) ^ words[0];
      words[2] += other;
      other = rotate_left(other, by[1]) ^ words[2];
      if (round % 4 == 3) {
        const int turn = round / 4 + 1;
        for (int i = 0; i < 4; ++i) words[i] += key[(turn + i) % 5];
        words[3] += static_cast<std::uint32_t>(turn);
      }
    }
  }
  Words words[4];
};

inline Float polynomial(const float (&coefficients)[9], Float x) {
  Float value = broadcast(coefficients[0]);
  for (int i = 1; i < 9; ++i) value = multiply_add(value, x, broadcast(coefficients[i]));
  return value;
}

// A standard normal number from a uniform word: sqrt(2) erfinv(u), u in (-1, 1) from the upper 23 bits.
inline Float normal(Words word) {
  constexpr float kSqrt2 = 1.41421356f, kLn2 = 0.69314718f;
  constexpr float kMiddle[9] = {2.81022636e-08f,  3.43273939e-07f, -3.5233877e-06f,
                                -4.39150654e-06f, 0.00021858087f,  -0.00125372503f,
                                -0.00417768164f,  0.246640727f,    1.50140941f};
  constexpr float kTail[9] = {-0.000200214257f, 0.000100950558f, 0.00134934322f,
                              -0.00367342844f,  0.00573950773f,  -0.0076224613f,
                              0.00943887047f,   1.00167406f,     2.83297682f};
  const Int steps = (Int)(word >> 9);
  const Float u = __builtin_convertvector(2 * steps + 1, Float) * 0x1p-23f - 1.0f;
  const Float w = -kLn2 * logarithm2((1.0f - u) * (1.0f + u));
  const Float middle = polynomial(kMiddle, w - 2.5f), tail = polynomial(kTail, square_root(w) - 3.0f);
  return kSqrt2 * u * select(less(w, broadcast(5.0f)), middle, tail);
}

}  // namespace

void perturb(ThreadPool& pool, float* parameters, std::int64_t count, float length, std::uint64_t seed) {
  pool.for_ranges(block_count(count), kBlocksPerTask, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t index = begin * kBlock; index < end * kBlock; index += kLanes) {
      float* p = parameters + offset_of(index, 0);
      Words counter;
      for (int lane = 0; lane < kLanes; ++lane) counter[lane] = static_cast<std::uint32_t>(index) + lane;
      const Threefry random(counter, seed);

      const Float opacity = 1.0f / (1.0f + exponential(-load(p + kOpacity * kBlock)));
      const Float gate = 1.0f / (1.0f + exponential(kGateSteepness * (opacity - kGateOpacity)));
      // Sigma = R S^2 R^T.
      const Rotation rotation(p);
      const Float* r = rotation.matrix;
      const Float xi[3] = {normal(random.words[0]), normal(random.words[1]), normal(random.words[2])};
      Float along[3];
      for (int axis = 0; axis < 3; ++axis) {
        const Float scale = exponential(load(p + (kLogScale + axis) * kBlock));
        along[axis] = scale * scale * (r[axis] * xi[0] + r[3 + axis] * xi[1] + r[6 + axis] * xi[2]);
      }
      const Mask exists = less(lane_indices(), broadcast(static_cast<float>(count - index)));
      for (int i = 0; i < 3; ++i) {
        const Float move = r[3 * i] * along[0] + r[3 * i + 1] * along[1] + r[3 * i + 2] * along[2];
        float* mean = p + (kMean + i) * kBlock;
        store(mean, load(mean) + keep(exists, move * gate * length));
      }
    }
  });
}

}  // namespace splat
