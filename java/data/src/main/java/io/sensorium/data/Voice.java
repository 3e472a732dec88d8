package io.sensorium.data;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * A speaking program with one of its voices.
 *
 * @param program espeak-ng, flite or festival
 * @param name as the program calls it
 * @param speed espeak-ng: words a minute; others: percent of the voice's own, 0 = as it is
 * @param pitch mean of the fundamental in Hz, 0 = as it is; neither for espeak-ng nor for festival's HTS voices
 * @param split what its speech is used for
 */
record Voice(String program, String name, int speed, int pitch, Split split) {
    private static final String ESPEAK = "espeak-ng";
    private static final String FLITE = "flite";
    private static final String FESTIVAL = "festival";

    /** The Debian packages of festival's voices. */
    private static final Map<String, String> FESTIVAL_PACKAGES = Map.of(
            "kal_diphone", "festvox-kallpc16k",
            "ked_diphone", "festvox-kdlpc16k",
            "cmu_us_slt_arctic_hts", "festvox-us-slt-hts");

    static Voice espeak(String name, int speed, Split split) {
        return new Voice(ESPEAK, name, speed, 0, split);
    }

    static Voice flite(String name, int speed, int pitch, Split split) {
        return new Voice(FLITE, name, speed, pitch, split);
    }

    static Voice festival(String name, int speed, int pitch, Split split) {
        return new Voice(FESTIVAL, name, speed, pitch, split);
    }

    /** As items name their source, and as folders are called. */
    String label() {
        String own = program + "-" + name;
        return program.equals(ESPEAK)
                ? own
                : own + (pitch == 0 ? "" : "-pitch" + pitch) + (speed == 0 ? "" : "-speed" + speed);
    }

    /** Texts that are best spoken by one process: festival takes seconds to start. */
    int batch() {
        return program.equals(FESTIVAL) ? 100 : 1;
    }

    /** A {@link DataException} that names the voice, or the package to install, if the program or the voice is missing. */
    void check(Path folder) {
        switch (program) {
            case FLITE -> mustBeListed(Commands.run(folder, "", List.of(FLITE, "-lv")));
            case FESTIVAL -> {
                Commands.run(folder, "", List.of(FESTIVAL, "--version"));
                try {
                    Commands.run(folder, "", List.of(FESTIVAL, "-b", "(voice_" + name + ")"));
                } catch (DataException e) {
                    throw new DataException(
                            "festival has no voice '" + name + "': apt-get install "
                                    + FESTIVAL_PACKAGES.getOrDefault(name, "festvox-…"),
                            e);
                }
            }
            default -> {
                Commands.run(folder, "", List.of(program, "--version"));
                int variant = name.indexOf('+');
                if (variant >= 0) {
                    mustDiffer(sample(folder, name), sample(folder, name.substring(0, variant)));
                }
            }
        }
    }

    /** flite speaks with its own voice, without a word, if it does not know the name. */
    void mustBeListed(String voices) {
        if (!List.of(voices.split("\\s+")).contains(name)) {
            throw new DataException("flite has no voice '" + name + "'; " + voices);
        }
    }

    /** espeak-ng leaves out a variant, without a word, that it does not know, and any behind en-gb. */
    void mustDiffer(String sound, String plain) {
        if (sound.equals(plain)) {
            throw new DataException("espeak-ng has no voice '" + name + "': it speaks without the variant");
        }
    }

    private static String sample(Path folder, String voice) {
        return Commands.run(folder, "one", List.of(ESPEAK, "-v", voice, "--stdout", "--stdin"));
    }

    /** Speaks each text into its WAV file. All files are in one folder. */
    void speak(Map<Path, String> texts) {
        Path folder = texts.keySet().iterator().next().toAbsolutePath().getParent();
        switch (program) {
            case FESTIVAL -> Commands.run(folder, script(texts), List.of(FESTIVAL, "--pipe"));
            case FLITE -> texts.forEach((file, text) -> Commands.run(folder, "", flite(text, file)));
            default ->
                texts.forEach((file, text) -> Commands.run(
                        folder, text, List.of(ESPEAK, "-v", name, "-s", "" + speed, "-w", file.toString(), "--stdin")));
        }
    }

    private List<String> flite(String text, Path file) {
        List<String> command = new ArrayList<>(List.of(FLITE, "-voice", name));
        if (pitch > 0) {
            command.addAll(List.of("--setf", "int_f0_target_mean=" + pitch));
        }
        if (speed > 0) {
            command.addAll(List.of("--setf", "duration_stretch=" + stretch()));
        }
        command.addAll(List.of("-t", text, "-o", file.toString()));
        return command;
    }

    /** For festival: Scheme. */
    String script(Map<Path, String> texts) {
        StringBuilder script = new StringBuilder("(voice_" + name + ")\n");
        boolean hts = name.endsWith("_hts");
        if (pitch != 0) {
            script.append("(set! int_lr_params (cons (list 'target_f0_mean " + pitch + ") (cdr int_lr_params)))\n");
        }
        if (speed != 0) {
            script.append(
                    hts
                            ? "(set! hts_engine_params (append hts_engine_params (list (list \"-r\" " + speed / 100.0
                                    + "))))\n"
                            : "(Parameter.set 'Duration_Stretch " + stretch() + ")\n");
        }
        script.append(texts.entrySet().stream()
                .map(e -> "(utt.save.wave (utt.synth (Utterance Text " + quoted(e.getValue()) + ")) "
                        + quoted(e.getKey().toString()) + " 'riff)")
                .collect(Collectors.joining("\n")));
        return script.append('\n').toString();
    }

    private String stretch() {
        return String.format(Locale.ROOT, "%.3f", 100.0 / speed);
    }

    /** A string of Scheme. */
    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }
}
