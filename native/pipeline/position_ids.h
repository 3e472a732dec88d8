#pragma once

#include "pipeline/sequence.h"

namespace sns {

// Positions (t, h, w) of every token for the rotary embedding of the engine that reads the sequence: M-RoPE
// (Qwen2-VL), and, where items have times, TMRoPE (Qwen2.5-Omni) by the times themselves.
//  - Text and finished tokens count on: t = h = w.
//  - A picture without duration stands still: t is constant, h and w follow its rows and columns.
//  - Sounds and pictures with a duration that follow each other in a sequence share one clock, which starts
//    with the earliest: t = base + ⌊time·ids_per_second⌋. Sound frames have h = w = t; spectrogram patches
//    follow the frequency with h and the time with w; pictures rows and columns with h and w.
//  - What follows starts past the largest id so far. Prefix, begin and end tokens count on as text does, but
//    between two items of one clock they stand at their item's start and end.

/// Places the items of one sequence; `index` is the first's in the request. Throws kLimitExceeded naming
/// items[i] where an id would pass 31 bits.
void place(const Model& model, ItemPlan* plans, int64_t count, int64_t index);
/// Writes position [rows, 3] of the item's rows; `span` [rows, 2] as `describe` filled it.
void write_positions(const Model& model, const ItemPlan& plan, const int64_t* span, int32_t* position);

}  // namespace sns
