package io.sensorium.video;

import io.sensorium.LimitExceededException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Bytes at random positions. */
interface Source extends AutoCloseable {
    /** How many there are. */
    long size();

    /** Reads at least one byte at {@code at} into what remains of {@code into}, or returns −1 at the end. */
    int read(long at, ByteBuffer into) throws IOException;

    @Override
    void close();

    static Source of(byte[] bytes, String name, long limit) {
        checkSize(name, bytes.length, limit);
        return new Source() {
            @Override
            public long size() {
                return bytes.length;
            }

            @Override
            public int read(long at, ByteBuffer into) {
                if (at >= bytes.length) {
                    return -1;
                }
                int count = (int) Math.min(into.remaining(), bytes.length - at);
                into.put(bytes, (int) at, count);
                return count;
            }

            @Override
            public void close() {}
        };
    }

    static Source of(Path file, String name, long limit) throws IOException {
        return channel(FileChannel.open(file, StandardOpenOption.READ), name, limit);
    }

    /**
     * Through a temporary file, which is gone with the source: containers keep their index at either end, and memory stays
     * bounded.
     */
    static Source of(InputStream in, String name, long limit) throws IOException {
        Path file = Files.createTempFile("sensorium-", ".media");
        try (FileChannel out = FileChannel.open(file, StandardOpenOption.WRITE)) {
            byte[] block = new byte[1 << 16];
            long total = 0;
            for (int count = in.read(block); count >= 0; count = in.read(block)) {
                total += count;
                checkSize(name, total, limit);
                for (ByteBuffer rest = ByteBuffer.wrap(block, 0, count); rest.hasRemaining(); ) {
                    out.write(rest);
                }
            }
            return channel(
                    FileChannel.open(file, StandardOpenOption.READ, StandardOpenOption.DELETE_ON_CLOSE), name, limit);
        } catch (IOException | RuntimeException e) {
            Files.deleteIfExists(file);
            throw e;
        }
    }

    private static Source channel(FileChannel channel, String name, long limit) throws IOException {
        long size;
        try {
            size = channel.size();
            checkSize(name, size, limit);
        } catch (IOException | RuntimeException e) {
            channel.close();
            throw e;
        }
        return new Source() {
            @Override
            public long size() {
                return size;
            }

            @Override
            public int read(long at, ByteBuffer into) throws IOException {
                return at >= size ? -1 : channel.read(into, at);
            }

            @Override
            public void close() {
                try {
                    channel.close();
                } catch (IOException e) {
                    throw new java.io.UncheckedIOException(e);
                }
            }
        };
    }

    private static void checkSize(String name, long size, long limit) {
        if (size > limit) {
            throw new LimitExceededException(name + ": " + size + " bytes; the limit is " + limit, name, limit, null);
        }
    }
}
