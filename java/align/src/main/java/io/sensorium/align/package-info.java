/** Training of models by libtorch in the JVM: a second implementation of the engine's forward pass, with gradients. */
@NullMarked
package io.sensorium.align;

import org.jspecify.annotations.NullMarked;
