package io.sensorium.data;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class VoiceTest {
    @TempDir
    Path folder;

    @Test
    void voicesHaveLabelsOfTheirOwn() {
        List<Voice> voices = Voices.ENGLISH;
        assertEquals(
                voices.size(),
                voices.stream().map(Voice::label).collect(Collectors.toSet()).size());
        assertEquals(
                "flite-awb-pitch105-speed85",
                Voice.flite("awb", 85, 105, Split.TRAIN).label());
        assertEquals("espeak-ng-en-us", Voice.espeak("en-us", 175, Split.TRAIN).label());
    }

    @Test
    void whoIsTestedIsNeverTrained() {
        for (Voice held : Voices.ENGLISH) {
            if (held.split() != Split.TRAIN) {
                assertTrue(Voices.ENGLISH.stream()
                        .noneMatch(v -> v.split() == Split.TRAIN
                                && v.program().equals(held.program())
                                && v.name().equals(held.name())));
            }
        }
    }

    @Test
    void festivalReadsTextAsText() {
        String script = Voice.festival("ked_diphone", 80, 130, Split.TRAIN)
                .script(Map.of(folder.resolve("a.wav"), "say \"so\\\" (quit)"));
        assertTrue(script.startsWith("(voice_ked_diphone)\n"), script);
        assertTrue(script.contains("(Utterance Text \"say \\\"so\\\\\\\" (quit)\")"), script);
        assertTrue(script.contains("'target_f0_mean 130"), script);
        assertTrue(script.contains("'Duration_Stretch 1.250"), script);
    }

    @Test
    void aMissingProgramIsNamedWithItsPackage() throws IOException {
        Voice voice = new Voice("no-such-program", "x", 0, 0, Split.TRAIN);
        DataException e =
                assertThrows(DataException.class, () -> Speech.check(List.of(voice), Map.of("dog", "dog"), folder));
        assertEquals("'no-such-program' cannot be run: apt-get install no-such-program", e.getMessage());
        // What was spoken before needs no program.
        Files.createDirectories(folder.resolve(voice.label()));
        Files.writeString(folder.resolve(voice.label()).resolve("dog.wav"), "");
        Speech.check(List.of(voice), Map.of("dog", "dog"), folder);
    }

    @Test
    void aVoiceThatWouldBeAnotherIsNamed() {
        String list = "Voices available: kal awb_time kal16 awb rms slt";
        Voice.flite("awb", 85, 105, Split.TRAIN).mustBeListed(list);
        Voice flite = Voice.flite("awb_tim", 0, 0, Split.TRAIN);
        assertEquals(
                "flite has no voice 'awb_tim'; " + list,
                assertThrows(DataException.class, () -> flite.mustBeListed(list))
                        .getMessage());
        Voice espeak = Voice.espeak("en-us+nobody", 175, Split.TRAIN);
        espeak.mustDiffer("RIFF a", "RIFF b");
        assertEquals(
                "espeak-ng has no voice 'en-us+nobody': it speaks without the variant",
                assertThrows(DataException.class, () -> espeak.mustDiffer("RIFF a", "RIFF a"))
                        .getMessage());
    }
}
