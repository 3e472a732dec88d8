package io.sensorium.bench;

import java.util.ArrayDeque;
import java.util.Deque;

/** Closes what it was given, the last first. */
final class Closing implements AutoCloseable {
    private final Deque<AutoCloseable> all = new ArrayDeque<>();

    <T extends AutoCloseable> T add(T value) {
        all.push(value);
        return value;
    }

    @Override
    public void close() throws Exception {
        while (!all.isEmpty()) {
            all.pop().close();
        }
    }
}
