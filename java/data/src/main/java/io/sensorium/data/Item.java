package io.sensorium.data;

import java.nio.file.Path;
import org.jspecify.annotations.Nullable;

/**
 * One example: up to three views of one concept.
 *
 * @param id of the item, unique in its set
 * @param concept what it shows, says or names; items of one concept belong together
 * @param split what it may be used for
 * @param image a PNG or JPEG
 * @param audio a WAV
 * @param text words
 * @param source who made it: the speaker, the package; empty if nobody says
 */
public record Item(
        String id,
        String concept,
        Split split,
        @Nullable Path image,
        @Nullable Path audio,
        @Nullable String text,
        String source) {}
