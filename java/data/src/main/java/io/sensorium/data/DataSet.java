package io.sensorium.data;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.channels.FileChannel;
import java.nio.channels.OverlappingFileLockException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.util.Locale;
import java.util.Spliterators;
import java.util.function.Consumer;
import java.util.stream.Stream;
import java.util.stream.StreamSupport;

/** A folder of pictures and sounds with its manifest.jsonl or manifest.csv. */
public final class DataSet {
    /** Sets that are built from free packages, none of which is part of this project. */
    public enum Builtin {
        /** Noto's emoji, their CLDR names, espeak-ng, flite and festival. */
        EMOJI,
        /** MNIST's digits, their names and the same voices. */
        MNIST,
        /** Tux Paint's stamps, their captions in many languages, and people who speak them. */
        STAMPS;

        /** As it is written on the command line. */
        @Override
        public String toString() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    private final Path folder;

    private DataSet(Path folder) {
        this.folder = folder;
    }

    /** A set's folder. Throws {@link java.nio.file.NoSuchFileException} if it has no manifest. */
    public static DataSet open(Path folder) throws IOException {
        if (!Files.isRegularFile(folder.resolve(Manifest.JSON_LINES))
                && !Files.isRegularFile(folder.resolve(Manifest.CSV))) {
            throw new java.nio.file.NoSuchFileException(
                    folder.resolve(Manifest.JSON_LINES).toString());
        }
        return new DataSet(folder);
    }

    /**
     * Builds a set, or goes on where an interrupted build ended. It needs the programs that the README names. One process at a
     * time; others wait.
     *
     * @param cache where the packages are kept
     * @param progress is told in one line what is going on
     */
    public static DataSet build(Builtin set, Path cache, Path folder, Consumer<String> progress) throws IOException {
        Files.createDirectories(cache);
        Files.createDirectories(folder);
        // Two at once would write one file. The lock ends with the process that holds it.
        try (FileChannel file =
                FileChannel.open(folder.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
            if (file.tryLock() == null) {
                progress.accept("waiting for another process that builds " + folder);
                file.lock();
            }
            switch (set) {
                case EMOJI -> EmojiSet.build(cache, folder, false, progress);
                case MNIST -> DigitSet.build(cache, folder, progress);
                case STAMPS -> StampSet.build(cache, folder, progress);
            }
        } catch (OverlappingFileLockException e) {
            throw new DataException(folder + " is being built by this process already", e);
        }
        return open(folder);
    }

    /** Where it is. */
    public Path folder() {
        return folder;
    }

    /**
     * The items in the manifest's order, read as they are asked for; close it. A malformed line is a {@link DataException}
     * with its number.
     */
    public Stream<Item> items() throws IOException {
        Manifest.Rows rows = new Manifest.Rows(folder);
        return StreamSupport.stream(
                        new Spliterators.AbstractSpliterator<Item>(Long.MAX_VALUE, 0) {
                            @Override
                            public boolean tryAdvance(Consumer<? super Item> action) {
                                try {
                                    Item item = rows.next();
                                    if (item == null) {
                                        return false;
                                    }
                                    action.accept(item);
                                    return true;
                                } catch (IOException e) {
                                    throw new UncheckedIOException(e);
                                }
                            }
                        },
                        false)
                .onClose(() -> {
                    try {
                        rows.close();
                    } catch (IOException e) {
                        throw new UncheckedIOException(e);
                    }
                });
    }
}
