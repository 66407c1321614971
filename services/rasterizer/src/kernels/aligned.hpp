// Memory for the kernels: cache-line aligned, never initialised twice, freed by its owner.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <new>
#include <type_traits>

namespace splat {

constexpr std::size_t kCacheLine = 64;

constexpr std::int64_t round_up(std::int64_t value, std::int64_t multiple) {
  return (value + multiple - 1) / multiple * multiple;
}

// Scratch of at least the asked size whose contents are undefined after every `resize`.
template <typename T>
class Scratch {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  // Grows by at least a half when it must grow, so that slowly rising sizes seldom allocate.
  T* resize(std::int64_t size) {
    if (size > capacity_) {
      const std::int64_t wanted = size > capacity_ * 3 / 2 ? size : capacity_ * 3 / 2;
      const std::size_t bytes = round_up(wanted * static_cast<std::int64_t>(sizeof(T)), kCacheLine);
      void* memory = std::aligned_alloc(kCacheLine, bytes);
      if (memory == nullptr) throw std::bad_alloc();
      data_.reset(static_cast<T*>(memory));
      capacity_ = wanted;
    }
    return data_.get();
  }

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  T& operator[](std::int64_t index) { return data_.get()[index]; }
  const T& operator[](std::int64_t index) const { return data_.get()[index]; }

 private:
  struct Free {
    void operator()(T* memory) const { std::free(memory); }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t capacity_ = 0;
};

// A fixed number of zeros. Pages are the kernel's zero page until written, so an unused capacity costs
// nothing.
class ZeroedFloats {
 public:
  ZeroedFloats() = default;
  explicit ZeroedFloats(std::int64_t size) {
    void* memory = std::calloc(static_cast<std::size_t>(size) + kCacheLine / sizeof(float), sizeof(float));
    if (memory == nullptr) throw std::bad_alloc();
    memory_.reset(memory);
    const auto address = reinterpret_cast<std::uintptr_t>(memory);
    data_ = reinterpret_cast<float*>((address + kCacheLine - 1) / kCacheLine * kCacheLine);
  }

  float* data() { return data_; }
  const float* data() const { return data_; }
  bool empty() const { return data_ == nullptr; }

 private:
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };
  std::unique_ptr<void, Free> memory_;
  float* data_ = nullptr;
};

}  // namespace splat
