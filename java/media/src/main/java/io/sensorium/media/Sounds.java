package io.sensorium.media;

import java.io.IOException;
import java.nio.file.Path;

/** Sound of any format: WAV by {@link Wav}; FLAC, MP3, AAC, Opus, Vorbis and videos where a {@link MediaReader} is. */
public final class Sounds {
    private Sounds() {}

    /** Reads a file of at most {@link Wav#MAX_BYTES}. */
    public static Sound read(Path file) throws IOException {
        return decode(Errors.readCapped(file, Wav.MAX_BYTES), file.getFileName().toString());
    }

    /** The same from memory; {@code name} is what errors call it. */
    public static Sound decode(byte[] bytes, String name) {
        boolean riff = bytes.length >= 12
                && new String(bytes, 0, 4, java.nio.charset.StandardCharsets.ISO_8859_1).equals("RIFF");
        return riff
                ? Wav.decode(bytes, name)
                : MediaReader.find().map(reader -> reader.sound(bytes, name)).orElseGet(() -> Wav.decode(bytes, name));
    }
}
