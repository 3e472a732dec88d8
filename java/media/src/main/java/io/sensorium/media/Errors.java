package io.sensorium.media;

import io.sensorium.CorruptInputException;
import io.sensorium.LimitExceededException;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

final class Errors {
    private Errors() {}

    /** {@code what} is wrong with the input at that byte. */
    static CorruptInputException corrupt(String name, long offset, String what) {
        return new CorruptInputException(name + ": at byte " + offset + ": " + what, name);
    }

    static LimitExceededException exceeded(String name, String what, long limit) {
        return new LimitExceededException(name + ": " + what + "; the limit is " + limit, name, limit, null);
    }

    static byte[] readCapped(Path file, long limit) throws IOException {
        long size = Files.size(file);
        if (size > limit) {
            throw exceeded(file.getFileName().toString(), size + " bytes", limit);
        }
        return Files.readAllBytes(file);
    }
}
