#include "thread_pool.hpp"

#include "denormals.hpp"

namespace splat {
namespace {

// How often a thread looks for the next loop, or for the end of this one, before it goes to sleep. A training
// step is a dozen loops a fraction of a millisecond apart; waking a sleeper costs tens of microseconds.
constexpr int kSpins = 2000;

void relax() {
#if defined(__SSE2__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

template <typename Ready>
bool spin(const Ready& ready) {
  for (int i = 0; i < kSpins; ++i) {
    if (ready()) return true;
    relax();
  }
  return false;
}

}  // namespace

ThreadPool::ThreadPool(int threads) {
  workers_.reserve(static_cast<std::size_t>(std::max(threads - 1, 0)));
  for (int i = 1; i < threads; ++i) workers_.emplace_back([this] { serve(); });
}

ThreadPool::~ThreadPool() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  for (std::thread& worker : workers_) worker.join();
}

void ThreadPool::run(std::int64_t count, std::int64_t chunk, const void* context, Call call) {
  if (count <= 0) return;
  if (workers_.empty() || count <= chunk) {
    for (std::int64_t begin = 0; begin < count; begin += chunk)
      call(context, begin, std::min(count, begin + chunk));
    return;
  }
  {
    const std::lock_guard lock(mutex_);
    count_ = count;
    chunk_ = chunk;
    context_ = context;
    call_ = call;
    error_ = nullptr;
    next_.store(0);
    busy_.store(static_cast<int>(workers_.size()));
    generation_.fetch_add(1);
  }
  wake_.notify_all();
  work();
  if (!spin([this] { return busy_.load() == 0; })) {
    std::unique_lock lock(mutex_);
    done_.wait(lock, [this] { return busy_.load() == 0; });
  }
  if (error_) std::rethrow_exception(error_);
}

void ThreadPool::work() {
  try {
    for (std::int64_t begin; (begin = next_.fetch_add(chunk_)) < count_;) {
      call_(context_, begin, std::min(count_, begin + chunk_));
    }
  } catch (...) {
    next_.store(count_);
    const std::lock_guard lock(mutex_);
    if (!error_) error_ = std::current_exception();
  }
}

void ThreadPool::serve() {
  const FlushDenormals flush;
  std::uint64_t seen = 0;
  for (;;) {
    if (!spin([&] { return generation_.load() != seen; })) {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [&] { return generation_.load() != seen; });
    }
    {
      const std::lock_guard lock(mutex_);
      seen = generation_.load();
      if (stopping_) return;
    }
    work();
    if (busy_.fetch_sub(1) == 1) {
      const std::lock_guard lock(mutex_);
      done_.notify_one();
    }
  }
}

}  // namespace splat
