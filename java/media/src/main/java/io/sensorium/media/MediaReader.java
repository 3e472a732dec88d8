package io.sensorium.media;

import java.util.Optional;
import java.util.ServiceLoader;

/**
 * Reads formats that Java itself does not. {@link Pictures} and {@link Sounds} find one by {@link ServiceLoader};
 * sensorium-video brings FFmpeg's.
 */
public interface MediaReader {
    /** As {@link Pictures#decode}, upright. */
    Picture picture(byte[] bytes, String name, long maxPixels);

    /** As {@link Sounds#decode}. */
    Sound sound(byte[] bytes, String name);

    /** The first one on the class or module path. */
    static Optional<MediaReader> find() {
        return ServiceLoader.load(MediaReader.class, MediaReader.class.getClassLoader())
                .findFirst();
    }
}
