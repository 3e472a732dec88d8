/** The binding, handles and buffers; not exported. */
@NullMarked
package io.sensorium.internal;

import org.jspecify.annotations.NullMarked;
