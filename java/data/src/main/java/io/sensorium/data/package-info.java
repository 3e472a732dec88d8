/** Data sets: streams of items from a folder with a manifest, and builders that make such folders from free packages. */
@NullMarked
package io.sensorium.data;

import org.jspecify.annotations.NullMarked;
