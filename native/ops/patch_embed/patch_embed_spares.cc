#include "ops/patch_embed/patch_embed_spares.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "ops/patch_embed/patch_embed.h"

namespace sns {
namespace {

constexpr int64_t kTile = 4;  // rows and columns of weights that are rounded together

/// Whether every slice's weights fit into a byte each and the spares, whichever way they are rounded.
bool fits(const std::vector<double>& w, double step) {
  const double per_step = 1 / step;
  for (size_t slice = 0; slice < w.size(); slice += static_cast<size_t>(kSlice)) {
    int64_t spares = 0;
    for (size_t k = slice; k < slice + static_cast<size_t>(kSlice); ++k) {
      const auto most = static_cast<int64_t>(std::abs(w[k]) * per_step) + 1;
      if (most > 127) spares += (most - 1) / 127;
    }
    if (spares > kSpares) return false;
  }
  return true;
}

float least_step(const std::vector<double>& w, double largest) {
  // At the upper end no spare is needed, at the lower one each of the largest would take all of a slice's.
  double high = largest / 127 * (1 + 1e-6), low = high / static_cast<double>(kSpares + 2);
  for (int i = 0; i < 12; ++i) {
    const double middle = std::sqrt(low * high);
    (fits(w, middle) ? high : low) = middle;
  }
  // Up, so that it still fits.
  return std::nextafter(static_cast<float>(high), std::numeric_limits<float>::max());
}

}  // namespace

SpareLayout::SpareLayout(const PatchGeometry& g, int64_t row_bytes) {
  const int64_t rows = g.frames * g.patch_h, groups = rows * row_bytes / 4;
  const int64_t slices = ceil_div(4 * groups, kSlice);
  for (int64_t i = 0; i < groups; ++i) {
    // Each run of groups gives every slice one; by the golden ratio no two near runs begin alike.
    const int64_t run = i / slices;
    const auto turn = static_cast<int64_t>(0.6180339887 * static_cast<double>(run * slices));
    slot.push_back(static_cast<int32_t>((i + turn) % slices * kSlice + 4 * run));
  }
  for (int64_t c = 0; c < g.channels; ++c) {
    for (int64_t t = 0; t < g.frames; ++t) {
      for (int64_t y = 0; y < g.patch_h; y += kTile) {
        for (int64_t x = 0; x < g.patch_w; x += kTile) {
          std::vector<int32_t> tile;
          for (int64_t row = y; row < std::min(y + kTile, g.patch_h); ++row) {
            for (int64_t column = x; column < std::min(x + kTile, g.patch_w); ++column) {
              const int64_t k = (t * g.patch_h + row) * row_bytes + column * g.channels + c;
              tile.push_back(slot[static_cast<size_t>(k / 4)] + static_cast<int32_t>(k % 4));
            }
          }
          tiles.push_back(std::move(tile));
          tile_channel.push_back(static_cast<int32_t>(c));
        }
      }
    }
  }
}

float round_with_spares(const SpareLayout& layout, const std::vector<double>& w, std::vector<int32_t>& q,
                        double& nmse) {
  std::fill(q.begin(), q.end(), 0);
  double largest = 0, sum = 0;
  for (const double v : w) {
    largest = std::max(largest, std::abs(v));
    sum += std::abs(v);
  }
  nmse = std::isfinite(sum) ? 0 : std::numeric_limits<double>::infinity();
  if (largest == 0 || !std::isfinite(sum)) return 0;
  const float step = least_step(w, largest);
  double carried = 0, error = 0, energy = 0;
  std::vector<double> off;
  for (size_t t = 0; t < layout.tiles.size(); ++t) {
    const std::vector<int32_t>& tile = layout.tiles[t];
    if (t > 0 && layout.tile_channel[t] != layout.tile_channel[t - 1]) carried = 0;
    off.resize(tile.size());
    for (size_t i = 0; i < tile.size(); ++i) {
      const auto k = static_cast<size_t>(tile[i]);
      const double exact = w[k] / double{step};
      q[k] = static_cast<int32_t>(std::lrint(exact));
      off[i] = q[k] - exact;
      carried += off[i];
    }
    while (std::abs(carried) > 0.5) {
      const int32_t down = carried > 0 ? 1 : -1;
      const size_t i = static_cast<size_t>(
          std::max_element(off.begin(), off.end(), [&](double a, double b) { return down * a < down * b; }) -
          off.begin());
      q[static_cast<size_t>(tile[i])] -= down;
      off[i] -= down;
      carried -= down;
    }
    for (size_t i = 0; i < tile.size(); ++i) {
      const double v = w[static_cast<size_t>(tile[i])];
      error += off[i] * off[i];
      energy += v * v;
    }
  }
  nmse = error * double{step} * double{step} / energy;
  return step;
}

}  // namespace sns
