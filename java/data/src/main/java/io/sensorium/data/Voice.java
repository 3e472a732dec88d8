package io.sensorium.data;

import java.nio.file.Path;
import java.util.List;

/**
 * A speaking program with one of its voices.
 *
 * @param program espeak-ng or flite
 * @param name as the program calls it
 * @param speed words a minute; espeak-ng only
 * @param split what its speech is used for
 */
record Voice(String program, String name, int speed, Split split) {
    /** As items name their source, and as folders are called. */
    String label() {
        return program + "-" + name;
    }

    /** Speaks into a WAV file. */
    void speak(String words, Path file) {
        Path folder = file.toAbsolutePath().getParent();
        if (program.equals("flite")) {
            Commands.run(folder, "", List.of("flite", "-voice", name, "-t", words, "-o", file.toString()));
        } else {
            Commands.run(
                    folder,
                    words,
                    List.of("espeak-ng", "-v", name, "-s", "" + speed, "-w", file.toString(), "--stdin"));
        }
    }
}
