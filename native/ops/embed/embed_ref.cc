#include "ops/embed/embed.h"

namespace sns {

void embed_ref(const EmbedArgs& a, double* y) {
  for (int64_t i = 0; i < a.count; ++i) {
    for (int64_t c = 0; c < a.dim; ++c) {
      y[i * a.dim + c] = a.table[a.ids[i] * a.dim + c];
      if (a.position) y[i * a.dim + c] += a.position[i * a.dim + c];
    }
  }
}

}  // namespace sns
