/** Cross-modal search: embeddings of pictures, sounds and texts by a model with heads, an exact index, recall. */
@NullMarked
package io.sensorium.search;

import org.jspecify.annotations.NullMarked;
