package io.sensorium;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;
import java.nio.ShortBuffer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Random;

/** A model of all modalities that is small enough to be computed in plain Java, and buffers for it. */
final class TinyModels {
    static final int DIM = 6;
    static final int CHANNELS = 3;
    static final int PATCH = 2;
    static final int GRID = 2;
    static final int SIZE = PATCH * GRID;
    static final int VOCABULARY = 11;
    static final int MAX_TEXT = 8;
    static final int MELS = 5;
    static final int LATENTS = 2;
    static final int D_LATENTS = 4;

    static final SessionLimits LIMITS = SessionLimits.builder()
            .maxItems(8)
            .maxSequences(4)
            .maxTokens(256)
            .maxPixels(64)
            .maxSamples(4000)
            .build();

    static final LogMelConfig LOG_MEL = LogMelConfig.builder()
            .nFft(64)
            .winLength(64)
            .hop(32)
            .nMels(MELS)
            .log(LogKind.LN)
            .build();

    final Map<String, float[]> tensors = new LinkedHashMap<>();
    final Map<String, long[]> shapes = new LinkedHashMap<>();
    private final Random random = new Random(7);

    TinyModels() {
        add("sequence.modality", 3, DIM);
        add("sequence.begin", 3, DIM);
        add("sequence.end", 3, DIM);
        add("image.patch.weight", DIM, CHANNELS * PATCH * PATCH);
        add("image.patch.bias", DIM);
        add("image.prefix", 1, DIM);
        add("image.position", 1 + GRID * GRID, DIM);
        add("audio.frame.weight", DIM, MELS);
        add("audio.frame.bias", DIM);
        add("text.embedding", VOCABULARY, DIM);
        add("text.position", MAX_TEXT, DIM);
        add("perceiver.latents", LATENTS, D_LATENTS);
        layer("perceiver.cross", DIM, "norm_latents");
        add("perceiver.cross.norm_inputs.weight", DIM);
        add("perceiver.cross.norm_inputs.bias", DIM);
        layer("perceiver.self.0", D_LATENTS, "norm");
    }

    private void layer(String name, int inputs, String norm) {
        affine(name + "." + norm, D_LATENTS, 0);
        affine(name + ".q", D_LATENTS, D_LATENTS);
        affine(name + ".k", D_LATENTS, inputs);
        affine(name + ".v", D_LATENTS, inputs);
        affine(name + ".o", D_LATENTS, D_LATENTS);
        affine(name + ".norm_mlp", D_LATENTS, 0);
        affine(name + ".mlp.up", D_LATENTS, D_LATENTS);
        affine(name + ".mlp.down", D_LATENTS, D_LATENTS);
    }

    private void affine(String name, int out, int in) {
        if (in == 0) {
            add(name + ".weight", out);
        } else {
            add(name + ".weight", out, in);
        }
        add(name + ".bias", out);
    }

    private void add(String name, long... dims) {
        int count = 1;
        for (long dim : dims) {
            count *= (int) dim;
        }
        float[] values = new float[count];
        for (int i = 0; i < count; i++) {
            values[i] = (float) random.nextGaussian() * 0.5f;
        }
        tensors.put(name, values);
        shapes.put(name, dims);
    }

    /** Configurations without tensors. */
    static Model.Builder configured(Engine engine) {
        return engine.newModel()
                .sequence(SequenceConfig.builder()
                        .dModel(DIM)
                        .modalityEmbedding(true)
                        .specialTokens(true)
                        .build())
                .image(ImageConfig.builder()
                        .channels(CHANNELS)
                        .patch(PATCH)
                        .grid(GRID, GRID)
                        .prefixTokens(1)
                        .position(Position.LEARNED)
                        .hasBias(true)
                        .mean(0.5f, 0.25f, 0.75f)
                        .std(0.5f, 0.25f, 1)
                        .build())
                .audio(AudioConfig.builder().logMel(LOG_MEL).hasBias(true).build())
                .text(TextConfig.builder()
                        .vocabulary(VOCABULARY)
                        .maxTokens(MAX_TEXT)
                        .position(Position.LEARNED)
                        .build())
                .perceiver(PerceiverConfig.builder()
                        .numLatents(LATENTS)
                        .dLatents(D_LATENTS)
                        .activation(Activation.RELU)
                        .build());
    }

    /** The whole model. */
    Model build(Engine engine) {
        Model.Builder builder = configured(engine);
        tensors.forEach((name, values) -> builder.tensor(name, FloatBuffer.wrap(values), shapes.get(name)));
        return builder.build();
    }

    static byte[] pixels(int seed) {
        byte[] bytes = new byte[SIZE * SIZE * CHANNELS];
        new Random(seed).nextBytes(bytes);
        return bytes;
    }

    static float[] sound(int seed, int samples) {
        Random random = new Random(seed);
        float[] values = new float[samples];
        for (int i = 0; i < samples; i++) {
            values[i] = random.nextFloat() - 0.5f;
        }
        return values;
    }

    static ByteBuffer direct(byte[] values) {
        return ByteBuffer.allocateDirect(values.length).put(values).flip();
    }

    static FloatBuffer direct(float[] values) {
        return memory(values.length * Float.BYTES).asFloatBuffer().put(values).flip();
    }

    static ShortBuffer direct(short[] values) {
        return memory(values.length * Short.BYTES).asShortBuffer().put(values).flip();
    }

    static LongBuffer direct(long... values) {
        return memory(values.length * Long.BYTES).asLongBuffer().put(values).flip();
    }

    static ByteBuffer memory(int bytes) {
        return ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder());
    }

    static float[] array(FloatBuffer buffer) {
        float[] values = new float[buffer.remaining()];
        buffer.duplicate().get(values);
        return values;
    }
}
