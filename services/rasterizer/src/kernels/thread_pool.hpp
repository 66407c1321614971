// A small pool of threads that share loops.
//
// A loop's iterations are handed out in chunks to whoever is free, so nothing computed in one may depend on
// which thread ran it: that is what makes every result of the rasterizer the same bits for any number of
// threads. Worker threads run with denormals flushed to zero (see denormals.hpp); the calling thread decides
// for itself.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <exception>
#include <mutex>
#include <thread>
#include <vector>

namespace splat {

class ThreadPool {
 public:
  // `threads` counts the calling thread: 1 starts no thread at all.
  explicit ThreadPool(int threads);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return static_cast<int>(workers_.size()) + 1; }

  // Calls body(begin, end) for ranges of at most `chunk` that cover [0, count), in parallel, and returns when
  // all are done. Rethrows the first exception. One loop at a time.
  template <typename Body>
  void for_ranges(std::int64_t count, std::int64_t chunk, const Body& body) {
    run(count, chunk, &body, [](const void* context, std::int64_t begin, std::int64_t end) {
      (*static_cast<const Body*>(context))(begin, end);
    });
  }

  // Calls body(index) for every index in [0, count), in parallel.
  template <typename Body>
  void for_each(std::int64_t count, const Body& body) {
    for_ranges(count, 1, [&](std::int64_t begin, std::int64_t end) {
      for (std::int64_t index = begin; index < end; ++index) body(index);
    });
  }

 private:
  using Call = void (*)(const void* context, std::int64_t begin, std::int64_t end);

  void run(std::int64_t count, std::int64_t chunk, const void* context, Call call);
  void work();
  void serve();

  std::vector<std::thread> workers_;
  std::mutex mutex_;
  std::condition_variable wake_, done_;
  std::atomic<std::uint64_t> generation_{0};
  std::atomic<int> busy_{0};
  bool stopping_ = false;

  // The loop in progress.
  std::int64_t count_ = 0, chunk_ = 1;
  std::atomic<std::int64_t> next_{0};
  const void* context_ = nullptr;
  Call call_ = nullptr;
  std::exception_ptr error_;
};

}  // namespace splat
