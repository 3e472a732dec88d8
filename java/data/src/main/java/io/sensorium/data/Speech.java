package io.sensorium.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;

/** Lets a voice speak many names, and brings recorded speech into one form. */
final class Speech {
    private static final int PROGRAMS_AT_ONCE = 4;

    private Speech() {}

    /** Says at once if a voice is missing that still has to speak into its folder in {@code audio}. */
    static void check(List<Voice> voices, Map<String, String> words, Path audio) {
        Set<List<String>> checked = new HashSet<>(); // programs and names: pitches and speeds need nothing of their own
        for (Voice voice : voices) {
            if (!missing(words, audio.resolve(voice.label())).isEmpty()
                    && checked.add(List.of(voice.program(), voice.name()))) {
                voice.check(audio);
            }
        }
    }

    private static List<String> missing(Map<String, String> ids, Path folder) {
        return ids.keySet().stream()
                .filter(id -> !Files.exists(folder.resolve(id + ".wav")))
                .toList();
    }

    /** Writes folder/id.wav for each id and its words; files that are there are kept. */
    static void speak(Voice voice, Map<String, String> words, Path folder, Consumer<String> progress)
            throws IOException {
        make(voice.label(), voice.batch(), voice::speak, words, folder, progress);
    }

    /** Writes folder/id.wav, 16 kHz and mono, for each id and the path of its recording; likewise. */
    static void sox(Map<String, String> recordings, Path folder, Consumer<String> progress) throws IOException {
        make(
                "sound",
                1,
                parts -> parts.forEach((part, recording) -> Commands.run(
                        folder, "", List.of("sox", recording, "-r", "16000", "-c", "1", "-b", "16", part.toString()))),
                recordings,
                folder,
                progress);
    }

    /** Makes sound files, each of its text, which are in one folder. */
    private interface Maker {
        void make(Map<Path, String> texts);
    }

    private static void make(
            String label, int batch, Maker maker, Map<String, String> words, Path folder, Consumer<String> progress)
            throws IOException {
        Files.createDirectories(folder);
        List<String> missing = missing(words, folder);
        ExecutorService pool = Executors.newFixedThreadPool(PROGRAMS_AT_ONCE);
        try {
            List<Future<Integer>> work = new ArrayList<>();
            for (int i = 0; i < missing.size(); i += batch) {
                List<String> ids = missing.subList(i, Math.min(missing.size(), i + batch));
                work.add(pool.submit(() -> make(label, maker, ids, words, folder)));
            }
            int done = words.size() - missing.size();
            int told = done;
            for (Future<Integer> future : work) {
                done += future.get();
                if (done - told >= 100) {
                    told = done;
                    progress.accept(label + ": " + done + " of " + words.size());
                }
            }
            progress.accept(label + ": " + words.size() + " spoken");
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new DataException("interrupted", e);
        } catch (ExecutionException e) {
            throw e.getCause() instanceof DataException known
                    ? known
                    : new DataException("speech failed", e.getCause());
        } finally {
            pool.shutdownNow();
        }
    }

    private static int make(String label, Maker maker, List<String> ids, Map<String, String> words, Path folder)
            throws IOException {
        // A name appears only when the whole sound is there.
        Map<Path, String> parts = new LinkedHashMap<>();
        ids.forEach(id -> parts.put(folder.resolve("." + id + ".wav"), words.get(id)));
        maker.make(parts);
        for (String id : ids) {
            Path part = folder.resolve("." + id + ".wav");
            if (!Files.exists(part)) {
                throw new DataException(label + ": nothing came of '" + words.get(id) + "'");
            }
            Files.move(part, folder.resolve(id + ".wav"), StandardCopyOption.REPLACE_EXISTING);
        }
        return ids.size();
    }
}
