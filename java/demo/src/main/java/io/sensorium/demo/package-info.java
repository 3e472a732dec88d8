/** A small trained model; README.md beside it says on what, how, and what it is worth. */
@NullMarked
package io.sensorium.demo;

import org.jspecify.annotations.NullMarked;
