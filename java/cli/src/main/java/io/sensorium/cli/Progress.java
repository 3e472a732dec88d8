package io.sensorium.cli;

/** One line on stderr that is overwritten, only on a terminal. */
public final class Progress implements AutoCloseable {
    private final boolean shown = System.console() != null;
    private int length;

    /** Shows it in place of what was shown before. */
    public void show(String text) {
        if (shown) {
            System.err.print("\r" + text + " ".repeat(Math.max(0, length - text.length())));
            System.err.flush();
            length = text.length();
        }
    }

    @Override
    public void close() {
        if (length > 0) {
            System.err.print("\r" + " ".repeat(length) + "\r");
            System.err.flush();
            length = 0;
        }
    }
}
