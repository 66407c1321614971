// Tells which of the kernel modules this CPU, and its operating system, can run.
#include <nanobind/nanobind.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/vector.h>

#include <string>

namespace nb = nanobind;

namespace {

// Names of the instruction sets, best last.
std::vector<std::string> supported() {
  std::vector<std::string> names{"generic"};
#if defined(__x86_64__)
  __builtin_cpu_init();
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("bmi") &&
      __builtin_cpu_supports("bmi2")) {
    names.emplace_back("v3");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl")) {
      names.emplace_back("v4");
    }
  }
#endif
  return names;
}

}  // namespace

NB_MODULE(_cpu, m) {
  m.def("supported", &supported, "Names of the instruction sets this machine runs, best last.");
}
