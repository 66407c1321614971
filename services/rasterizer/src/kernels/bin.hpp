// Which Gaussians each tile has to blend, nearest first.
#pragma once

#include <cstdint>
#include <vector>

#include "aligned.hpp"
#include "layout.hpp"
#include "project.hpp"
#include "thread_pool.hpp"

namespace splat {

// One Gaussian in one tile's list, and the place of this pair's sums in the backward pass.
struct Pair {
  std::int32_t gaussian, slot;
};

// Lists of (Gaussian, tile) pairs for one view. Keeps its memory from view to view.
class Bins {
 public:
  // Fills the lists. `projected` and `visible` are project()'s output for `count` Gaussians. Equal depths
  // keep the Gaussians' order. Throws std::length_error beyond 2^31 - 1 pairs.
  void build(ThreadPool& pool, const Projected* projected, const std::uint8_t* visible, std::int64_t count,
             int width, int height);

  int tiles() const { return tiles_x_ * tiles_y_; }
  int tiles_x() const { return tiles_x_; }
  std::int64_t pairs() const { return pairs_; }

  // The list of tile `index` (row-major) is [begin(index), begin(index + 1)) of pair().
  std::int32_t begin(int index) const { return begin_[index]; }
  const Pair* list() const { return list_.data(); }
  // [count]; valid for visible Gaussians. A Gaussian's slots are contiguous and ordered by tile.
  const Slots* slots() const { return slots_.data(); }

 private:
  struct Span {
    std::int32_t tile_y, tile_x_begin, tile_x_end;
  };
  // A contiguous share of the Gaussians in depth order, worked on by one task.
  struct Share {
    std::vector<Span> spans;
    std::vector<std::int32_t>
        next;  // [tiles] pairs a tile gets from this share, then where the next one goes
  };

  void sort_by_depth(ThreadPool& pool, const Projected* projected, const std::uint8_t* visible,
                     std::int64_t count);
  void add_spans(Share& share, const Projected& gaussian, int width, int height) const;

  int tiles_x_ = 0, tiles_y_ = 0;
  std::int64_t visible_ = 0, pairs_ = 0;
  Scratch<std::int32_t> order_, order_swap_;
  Scratch<std::uint32_t> keys_, keys_swap_;
  Scratch<std::int32_t> begin_;
  Scratch<std::int32_t> span_counts_;  // by depth rank
  Scratch<Pair> list_;
  Scratch<Slots> slots_;
  std::vector<Share> shares_;
  std::vector<std::int32_t> histogram_;
};

}  // namespace splat
