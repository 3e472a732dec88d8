package io.sensorium.cli;

import java.util.concurrent.Callable;

/** A command of another module, annotated with picocli's {@code @Command} and found by {@link java.util.ServiceLoader}. */
public interface SubCommand extends Callable<Integer> {}
