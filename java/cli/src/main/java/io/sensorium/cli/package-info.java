/** The commands encode, features, info and check. {@link Main#run} is for tests and embedding. */
package io.sensorium.cli;
