#pragma once

#include <cstdint>

namespace sns {

// Fixed sine-cosine position tables, computed in float64 and rounded once.

/// Vaswani et al. 2017: y[p, 2i] = sin(p·ω_i), y[p, 2i+1] = cos(p·ω_i), ω_i = 10000^(−2i/dim), for p in
/// [0, count). dim is even; rows are `dim` floats apart. `add` [dim] is added to every row, or null.
void sincos_1d(int64_t count, int64_t dim, const float* add, float* y);

/// One axis of the 2-D table, MAE's get_1d_sincos_pos_embed_from_grid: y[p, i] = sin(p·ω_i) and
/// y[p, half/2 + i] = cos(p·ω_i), ω_i = 10000^(−i/(half/2)), i < half/2. half is even.
void sincos_axis(int64_t count, int64_t half, float* y);

/// MAE's get_2d_sincos_pos_embed from axis tables of half = dim/2: row r·grid_w + c = [axis(c), axis(r)].
/// The x coordinate fills the first half and y the second: MAE's meshgrid puts w first, although the code
/// calls the first half emb_h. `add` [dim] is added to every row, or null.
void sincos_2d(int64_t grid_h, int64_t grid_w, int64_t dim, const float* axis, const float* add, float* y);

/// Width of the Fourier features of two axes: position, sines and cosines of each.
constexpr int64_t fourier_width(int64_t bands) { return 2 * (1 + 2 * bands); }

/// Perceiver's generate_fourier_features: rows of a grid whose axes run over linspace(−1, 1); with band k's
/// frequency f_k = linspace(1, resolution/2, bands)[k] of each axis, row r·grid_w + c is
/// [r', c', sin(π·r'·f) …, sin(π·c'·f) …, cos(π·r'·f) …, cos(π·c'·f) …]. Rows are ldy floats apart.
void fourier_2d(int64_t grid_h, int64_t grid_w, int64_t resolution_h, int64_t resolution_w, int64_t bands,
                float* y, int64_t ldy);

}  // namespace sns
