package io.sensorium.data;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.Consumer;

/** Lets a voice speak many names. */
final class Speech {
    private static final int PROGRAMS_AT_ONCE = 4;

    private Speech() {}

    /** Writes folder/id.wav for each id and its words; files that are there are kept. */
    static void speak(Voice voice, Map<String, String> words, Path folder, Consumer<String> progress)
            throws IOException {
        Files.createDirectories(folder);
        ExecutorService pool = Executors.newFixedThreadPool(PROGRAMS_AT_ONCE);
        try {
            List<Future<?>> work = new ArrayList<>();
            words.forEach((id, text) -> {
                Path file = folder.resolve(id + ".wav");
                if (!Files.exists(file)) {
                    work.add(pool.submit(() -> {
                        // A name appears only when the whole sound is there.
                        Path part = folder.resolve("." + id + ".wav");
                        voice.speak(text, part);
                        return Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
                    }));
                }
            });
            int done = words.size() - work.size();
            for (Future<?> future : work) {
                future.get();
                if (++done % 100 == 0) {
                    progress.accept(voice.label() + ": " + done + " of " + words.size());
                }
            }
            progress.accept(voice.label() + ": " + words.size() + " spoken");
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
}
