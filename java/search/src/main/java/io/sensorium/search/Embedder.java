package io.sensorium.search;

import io.sensorium.Engine;
import io.sensorium.HeadConfig;
import io.sensorium.Modality;
import io.sensorium.Model;
import io.sensorium.Resampler;
import io.sensorium.Result;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.media.Picture;
import io.sensorium.media.Sound;
import io.sensorium.models.ModelSpec;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import org.jspecify.annotations.Nullable;

/** Embeddings of single pictures, sounds and texts. Used by one thread. */
public final class Embedder implements AutoCloseable {
    private static final int MAX_TOKENS = 1 << 14;
    private static final int MAX_PIXELS = 1 << 24;
    private static final int MAX_SAMPLES = 1 << 22;

    private final Engine engine;
    private final Model model;
    private final Session session;
    private final ModelSpec spec;
    private final int dim;
    private @Nullable Result last;
    private final Map<Integer, Resampler> resamplers = new HashMap<>();

    /** Throws {@link IllegalArgumentException} if the model has no heads. */
    public Embedder(Engine engine, ModelSpec spec) {
        HeadConfig head = spec.head()
                .orElseThrow(() -> new IllegalArgumentException("the model has no heads: it gives no embeddings"));
        this.engine = engine;
        this.spec = spec;
        this.dim = head.dim();
        this.model = spec.build(engine);
        try {
            this.session = model.newSession(SessionLimits.builder()
                    .maxItems(1)
                    .maxSequences(1)
                    .maxTokens(MAX_TOKENS)
                    .maxPixels(MAX_PIXELS)
                    .maxSamples(MAX_SAMPLES)
                    .build());
        } catch (RuntimeException e) {
            model.close();
            throw e;
        }
    }

    /** Values of an embedding. */
    public int dim() {
        return dim;
    }

    /** Whether the model embeds it. */
    public boolean reads(Modality modality) {
        HeadConfig head = spec.head().orElseThrow();
        return switch (modality) {
            case IMAGE -> spec.image().isPresent() && head.image();
            case AUDIO -> spec.audio().isPresent() && head.audio();
            case TEXT ->
                spec.text().isPresent() && head.text() && spec.textEncoding() == ModelSpec.TextEncoding.UTF8_BYTES;
        };
    }

    /** [dim], of length 1. */
    public float[] image(Picture picture) {
        picture.pixels().rewind();
        return run(session.clear().image(picture.pixels(), picture.height(), picture.width(), picture.channels()));
    }

    /** [dim], of length 1; resampled if need be. */
    public float[] audio(Sound sound) {
        int rate = spec.audio().orElseThrow().logMel().sampleRate();
        FloatBuffer samples = sound.samples();
        if (sound.sampleRate() != rate) {
            Resampler resampler = resamplers.computeIfAbsent(sound.sampleRate(), from -> engine.resampler(from, rate));
            FloatBuffer out = ByteBuffer.allocateDirect(
                            Math.toIntExact(Math.multiplyExact(4, resampler.outputLength(samples.remaining()))))
                    .order(ByteOrder.nativeOrder())
                    .asFloatBuffer();
            resampler.run(samples, out);
            samples = out.rewind();
        }
        return run(session.clear().audio(samples));
    }

    /** [dim], of length 1. */
    public float[] text(String text) {
        byte[] bytes = text.getBytes(StandardCharsets.UTF_8);
        LongBuffer ids = ByteBuffer.allocateDirect(Math.multiplyExact(bytes.length, Long.BYTES))
                .order(ByteOrder.nativeOrder())
                .asLongBuffer();
        for (byte b : bytes) {
            ids.put(b & 0xFF);
        }
        return run(session.clear().text(ids.flip()));
    }

    /**
     * What a head takes the mean of: latents, or tokens without a compressor.
     *
     * @param values [n, width]
     * @param width of a row
     */
    public record Rows(float[] values, int width) {}

    /** Those that gave the last embedding. */
    public Rows rows() {
        if (last == null) {
            throw new IllegalStateException("nothing was embedded yet");
        }
        boolean latents = last.hasLatents();
        FloatBuffer rows = latents ? last.latents().values() : last.tokens().values();
        int count = latents ? last.latents().count() : last.tokens().count();
        int width = latents ? last.latents().dim() : last.tokens().dim();
        float[] values = new float[count * width];
        rows.get(0, values);
        return new Rows(values, width);
    }

    private float[] run(Session request) {
        float[] out = new float[dim];
        last = request.run();
        last.embedding().get(0, out);
        return out;
    }

    @Override
    public void close() {
        resamplers.values().forEach(Resampler::close);
        session.close();
        model.close();
    }
}
