// What this CPU could do at best: a yardstick for measurements on different machines.
#pragma once

#include <cstdint>

namespace splat {

// Multiplies and adds vectors that depend on nothing in memory, on this thread, and returns how many floating
// point operations that was, two for a multiply-add. Whoever calls it holds the clock.
double spin_multiply_add(std::int64_t rounds);

}  // namespace splat
