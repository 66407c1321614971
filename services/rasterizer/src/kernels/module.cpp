// The Python face of the kernels: arrays in, arrays out. Shapes and values are checked in Python, see
// model.py; here nanobind checks element types, contiguity and the fixed dimensions.
#include <nanobind/nanobind.h>
#include <nanobind/ndarray.h>
#include <nanobind/stl/array.h>
#include <nanobind/stl/optional.h>
#include <nanobind/stl/tuple.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <vector>

#include "denormals.hpp"
#include "model.hpp"
#include "peak.hpp"
#include "plane_sweep.hpp"

namespace nb = nanobind;
using namespace nb::literals;

namespace {

using splat::Camera;
using splat::Model;

template <typename T>
using Vector = nb::ndarray<T, nb::shape<-1>, nb::c_contig, nb::device::cpu>;
template <typename T, int kColumns>
using Table = nb::ndarray<T, nb::shape<-1, kColumns>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Image = nb::ndarray<T, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Bands = nb::ndarray<T, nb::shape<-1, -1, 3>, nb::c_contig, nb::device::cpu>;
template <typename T>
using Blocks = nb::ndarray<T, nb::shape<-1, splat::kRows, splat::kBlock>, nb::c_contig, nb::device::cpu>;
using Matrix = nb::ndarray<const double, nb::shape<4, 4>, nb::c_contig, nb::device::cpu>;

using Mask = nb::ndarray<const std::uint8_t, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Exposure = nb::ndarray<const float, nb::shape<3, 4>, nb::c_contig, nb::device::cpu>;

template <typename T>
using Channel = nb::ndarray<T, nb::ndim<2>, nb::c_contig, nb::device::cpu>;
using Homographies = nb::ndarray<const float, nb::shape<-1, -1, 3, 3>, nb::c_contig, nb::device::cpu>;

using Rgb = std::array<float, 3>;

Camera make_camera(const Matrix& viewmat, double fx, double fy, double cx, double cy, int width, int height) {
  Camera camera{};
  for (int i = 0; i < 3; ++i) {
    for (int j = 0; j < 3; ++j) camera.rotation[3 * i + j] = static_cast<float>(viewmat(i, j));
    camera.translation[i] = static_cast<float>(viewmat(i, 3));
    double position = 0;
    for (int j = 0; j < 3; ++j) position -= viewmat(j, i) * viewmat(j, 3);
    camera.position[i] = static_cast<float>(position);
  }
  camera.fx = static_cast<float>(fx);
  camera.fy = static_cast<float>(fy);
  camera.cx = static_cast<float>(cx);
  camera.cy = static_cast<float>(cy);
  camera.width = width;
  camera.height = height;
  return camera;
}

splat::View make_view(const Camera& camera, int sh_degree, const Rgb& background) {
  return {camera, sh_degree, {background[0], background[1], background[2]}};
}

int degree_of(std::size_t coefficients) {
  return coefficients >= 15 ? 3 : coefficients >= 8 ? 2 : coefficients >= 3 ? 1 : 0;
}

template <typename T>
splat::Columns<T> make_columns(const Table<T, 3>& means, const Table<T, 3>& log_scales,
                               const Table<T, 4>& quats, const Vector<T>& opacities, const Table<T, 3>& sh0,
                               const Bands<T>& shN) {
  return {means.data(), log_scales.data(), quats.data(),           opacities.data(),
          sh0.data(),   shN.data(),        degree_of(shN.shape(1))};
}

void append(Model& model, const Table<const float, 3>& means, const Table<const float, 3>& log_scales,
            const Table<const float, 4>& quats, const Vector<const float>& opacities,
            const Table<const float, 3>& sh0, const Bands<const float>& shN) {
  const auto columns = make_columns<const float>(means, log_scales, quats, opacities, sh0, shN);
  const auto rows = static_cast<std::int64_t>(means.shape(0));
  const nb::gil_scoped_release release;
  model.append(columns, rows);
}

void read_columns(Model& model, const Table<float, 3>& means, const Table<float, 3>& log_scales,
                  const Table<float, 4>& quats, const Vector<float>& opacities, const Table<float, 3>& sh0,
                  const Bands<float>& shN) {
  const auto columns = make_columns<float>(means, log_scales, quats, opacities, sh0, shN);
  const nb::gil_scoped_release release;
  model.read(columns);
}

void keep(Model& model, const Vector<const std::uint8_t>& mask) {
  const nb::gil_scoped_release release;
  model.keep(mask.data());
}

void render(Model& model, const Camera& camera, int sh_degree, const Rgb& background,
            const Image<float>& rgb) {
  const nb::gil_scoped_release release;
  model.render(make_view(camera, sh_degree, background), rgb.data());
}

splat::Photo make_photo(const Image<const std::uint8_t>& rgb, const std::optional<Mask>& mask,
                        const std::optional<Exposure>& exposure) {
  return {rgb.data(), mask ? mask->data() : nullptr, exposure ? exposure->data() : nullptr};
}

splat::Objective make_objective(const std::array<float, 3>& weights) {
  return {weights[0], {weights[1], weights[2]}};
}

std::tuple<double, double, std::array<float, 12>> to_python(const splat::StepValues& values) {
  return {values.loss, values.mse, values.exposure_gradient};
}

auto step(Model& model, const Camera& camera, int sh_degree, const Rgb& background,
          const Image<const std::uint8_t>& photo, const std::optional<Mask>& mask,
          const std::optional<Exposure>& exposure, const std::array<float, 3>& weights,
          const std::array<float, splat::kGroups>& rates) {
  const nb::gil_scoped_release release;
  return to_python(model.step(make_view(camera, sh_degree, background), make_photo(photo, mask, exposure),
                              make_objective(weights),
                              {rates[0], rates[1], rates[2], rates[3], rates[4], rates[5]}));
}

auto gradient(Model& model, const Camera& camera, int sh_degree, const Rgb& background,
              const Image<const std::uint8_t>& photo, const std::optional<Mask>& mask,
              const std::optional<Exposure>& exposure, const std::array<float, 3>& weights,
              const nb::ndarray<float, nb::shape<splat::kRows, -1>, nb::c_contig>& to) {
  const nb::gil_scoped_release release;
  return to_python(model.gradient(make_view(camera, sh_degree, background), make_photo(photo, mask, exposure),
                                  make_objective(weights), to.data()));
}

void blended(Model& model, const Camera& camera,
             const nb::ndarray<const float, nb::ndim<2>, nb::c_contig, nb::device::cpu>& values,
             const Vector<float>& sums) {
  const nb::gil_scoped_release release;
  model.blended(camera, values.data(), sums.data());
}

void read_statistics(const Model& model, const Vector<float>& grad2d, const Vector<float>& views) {
  std::copy_n(model.grad2d(), model.count(), grad2d.data());
  std::copy_n(model.views(), model.count(), views.data());
}

void read_state(const Model& model, const Blocks<float>& parameters, const Blocks<float>& first,
                const Blocks<float>& second, const Vector<float>& grad2d, const Vector<float>& views) {
  const nb::gil_scoped_release release;
  model.read_state({parameters.data(), first.data(), second.data(), grad2d.data(), views.data()});
}

void restore(Model& model, const Blocks<const float>& parameters, const Blocks<const float>& first,
             const Blocks<const float>& second, const Vector<const float>& grad2d,
             const Vector<const float>& views, std::int64_t steps) {
  const auto count = static_cast<std::int64_t>(grad2d.shape(0));
  const nb::gil_scoped_release release;
  model.restore({parameters.data(), first.data(), second.data(), grad2d.data(), views.data()}, count, steps);
}

splat::Grey make_grey(const Channel<const float>& pixels) {
  return {pixels.data(), static_cast<int>(pixels.shape(1)), static_cast<int>(pixels.shape(0))};
}

void plane_sweep(const Channel<const float>& photo, const std::vector<Channel<const float>>& neighbours,
                 const Homographies& homographies, const Channel<float>& plane, const Channel<float>& score) {
  const nb::gil_scoped_release release;
  std::vector<splat::Grey> others;
  for (const auto& neighbour : neighbours) others.push_back(make_grey(neighbour));
  splat::plane_sweep(make_grey(photo), others.data(), static_cast<int>(others.size()), homographies.data(),
                     static_cast<int>(homographies.shape(0)), plane.data(), score.data());
}

double ssim(const Image<const float>& a, const Image<const float>& b, int threads) {
  const nb::gil_scoped_release release;
  const splat::FlushDenormals flush;
  splat::ThreadPool pool(threads);
  splat::Planes image, target;
  const int width = static_cast<int>(a.shape(1)), height = static_cast<int>(a.shape(0));
  splat::to_planes(pool, a.data(), width, height, image);
  splat::to_planes(pool, b.data(), width, height, target);
  return splat::Loss().ssim(pool, image, target);
}

}  // namespace

NB_MODULE(MODULE_NAME, m) {
  nb::class_<Camera>(m, "Camera")
      .def(nb::new_(&make_camera), "viewmat"_a, "fx"_a, "fy"_a, "cx"_a, "cy"_a, "width"_a, "height"_a);
  nb::class_<Model>(m, "Model")
      .def(nb::init<std::int64_t, int, bool>(), "capacity"_a, "threads"_a, "antialiased"_a)
      .def_prop_ro("count", &Model::count)
      .def("append", &append, "means"_a, "log_scales"_a, "quats"_a, "opacities"_a, "sh0"_a, "shN"_a)
      .def("read", &read_columns, "means"_a, "log_scales"_a, "quats"_a, "opacities"_a, "sh0"_a, "shN"_a)
      .def("keep", &keep, "mask"_a)
      .def("render", &render, "camera"_a, "sh_degree"_a, "background"_a, "rgb"_a)
      .def("step", &step, "camera"_a, "sh_degree"_a, "background"_a, "photo"_a, "mask"_a.none(),
           "exposure"_a.none(), "weights"_a, "rates"_a)
      .def("gradient", &gradient, "camera"_a, "sh_degree"_a, "background"_a, "photo"_a, "mask"_a.none(),
           "exposure"_a.none(), "weights"_a, "gradient"_a)
      .def("blended", &blended, "camera"_a, "values"_a, "sums"_a)
      .def("perturb", &Model::perturb, "length"_a, "seed"_a, nb::call_guard<nb::gil_scoped_release>())
      .def("read_statistics", &read_statistics, "grad2d"_a, "views"_a)
      .def("reset_statistics", &Model::reset_statistics)
      .def_prop_ro("steps", &Model::steps)
      .def("read_state", &read_state, "parameters"_a, "first"_a, "second"_a, "grad2d"_a, "views"_a)
      .def("restore", &restore, "parameters"_a, "first"_a, "second"_a, "grad2d"_a, "views"_a, "steps"_a);
  m.def("spin_multiply_add", &splat::spin_multiply_add, "rounds"_a, nb::call_guard<nb::gil_scoped_release>());
  m.def("plane_sweep", &plane_sweep, "photo"_a, "neighbours"_a, "homographies"_a, "plane"_a, "score"_a);
  m.def("ssim", &ssim, "a"_a, "b"_a, "threads"_a);
}
