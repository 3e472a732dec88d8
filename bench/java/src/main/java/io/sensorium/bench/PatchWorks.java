package io.sensorium.bench;

import ai.onnxruntime.OrtException;
import io.sensorium.Engine;
import io.sensorium.ImageConfig;
import io.sensorium.Model;
import io.sensorium.Position;
import io.sensorium.Precision;
import io.sensorium.ResizeConfig;
import io.sensorium.Resizer;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import java.awt.Graphics2D;
import java.awt.Image;
import java.awt.image.BufferedImage;
import java.awt.image.DataBufferByte;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import net.coobird.thumbnailator.Thumbnails;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.PointerScope;
import org.bytedeco.pytorch.InterpolateFuncOptions;
import org.bytedeco.pytorch.LongVector;
import org.bytedeco.pytorch.LongVectorOptional;
import org.bytedeco.pytorch.Scalar;
import org.bytedeco.pytorch.Tensor;
import org.bytedeco.pytorch.global.torch;
import org.bytedeco.pytorch.kBilinear;

/** Pictures: a 224×224 RGB photo in bytes to the 196 tokens of ViT-B/16, and what brings a larger one to that size. */
final class PatchWorks {
    static final int SIZE = 224;
    static final int PATCH = 16;
    static final int GRID = SIZE / PATCH;
    static final int TOKENS = GRID * GRID;
    static final int DIM = 768;
    static final int IN = 3 * PATCH * PATCH;
    static final double FLOPS = 2.0 * TOKENS * DIM * IN;
    private static final int HEIGHT = 480;
    private static final int WIDTH = 640;
    /** Three taps a channel and pass at this scale: 2·3·(columns·rows of both passes). */
    private static final double RESIZE_FLOPS = 2.0 * 3 * 2 * (3.0 * SIZE * HEIGHT + 3.0 * SIZE * SIZE);

    private PatchWorks() {}

    static List<Work> all() {
        return List.of(
                new Work(
                                "ViT-B/16 from bytes",
                                "224×224 bytes → 196 tokens, d 768",
                                FLOPS,
                                false,
                                2,
                                1e-9,
                                List.of(new Reach(1.25), new Reach(1.8, "libtorch normalise + conv")),
                                PatchWorks::strict)
                        .on((batch, closing) ->
                                device(Precision.STRICT, ResizeConfig.NONE, SIZE, SIZE, batch, closing)),
                new Work(
                                "ViT-B/16 from bytes, FAST",
                                "the same, bfloat16 peers",
                                FLOPS,
                                true,
                                2,
                                1e-4,
                                List.of(new Reach(1.7, "libtorch bf16")),
                                PatchWorks::fast)
                        .on((batch, closing) -> device(Precision.FAST, ResizeConfig.NONE, SIZE, SIZE, batch, closing)),
                new Work(
                                "resize 640×480 → 224²",
                                "antialiased, to PIL's bit",
                                RESIZE_FLOPS,
                                false,
                                2,
                                1e-4,
                                List.of(new Reach(1, "libtorch")),
                                PatchWorks::resize)
                        .on((batch, closing) -> List.of(resizer(
                                DeviceRequests.OURS,
                                DeviceRequests.engine(Precision.STRICT, closing),
                                new Values().picture(HEIGHT, WIDTH)))),
                new Work(
                                "resize + ViT-B/16",
                                "640×480 bytes → 196 tokens",
                                FLOPS + RESIZE_FLOPS,
                                false,
                                2,
                                1e-3,
                                List.of(new Reach(2, "libtorch resize + normalise"), new Reach(4, "Java")),
                                PatchWorks::resizeAndEmbed)
                        .on((batch, closing) -> device(
                                Precision.STRICT,
                                ResizeConfig.squash(SIZE, SIZE, ResizeConfig.Filter.BILINEAR),
                                HEIGHT,
                                WIDTH,
                                batch,
                                closing)));
    }

    /** The projection as every contender needs it. */
    static final class Projection {
        final float[] weight;
        final float[] bias;
        final float[] position;
        /** (x/127.5 − 1)·Wᵀ + b = x·(W/127.5)ᵀ + (b − Σ W). */
        final float[] foldedWeight;

        final float[] foldedBias;

        Projection(Values values) {
            weight = values.normal(0.02, DIM * IN);
            bias = values.normal(0.02, DIM);
            position = values.normal(0.02, TOKENS * DIM);
            foldedWeight = new float[weight.length];
            foldedBias = bias.clone();
            for (int o = 0; o < DIM; o++) {
                double shift = 0;
                for (int i = 0; i < IN; i++) {
                    foldedWeight[o * IN + i] = weight[o * IN + i] / 127.5f;
                    shift += weight[o * IN + i];
                }
                foldedBias[o] = (float) (bias[o] - shift);
            }
        }

        /** For patches (p1 p2 c), as bytes lie: the weights' columns in that order. */
        float[] interleaved() {
            float[] out = new float[foldedWeight.length];
            for (int o = 0; o < DIM; o++) {
                for (int c = 0; c < 3; c++) {
                    for (int i = 0; i < PATCH * PATCH; i++) {
                        out[o * IN + 3 * i + c] = foldedWeight[o * IN + c * PATCH * PATCH + i];
                    }
                }
            }
            return out;
        }

        /** Bias and positions as one table. */
        float[] foldedPosition() {
            float[] out = position.clone();
            for (int i = 0; i < out.length; i++) {
                out[i] += foldedBias[i % DIM];
            }
            return out;
        }

        Model.Builder tensors(Model.Builder builder) {
            return builder.tensor("image.patch.weight", FloatBuffer.wrap(weight), DIM, IN)
                    .tensor("image.patch.bias", FloatBuffer.wrap(bias), DIM)
                    .tensor("image.position", FloatBuffer.wrap(position), TOKENS, DIM);
        }
    }

    static Model model(int threads, Precision precision, ResizeConfig resize, Closing closing) {
        return model(
                closing.add(
                        Engine.builder().threads(threads).precision(precision).open()),
                resize,
                closing);
    }

    private static Model model(Engine engine, ResizeConfig resize, Closing closing) {
        return closing.add(new Projection(new Values())
                .tensors(engine.newModel()
                        .sequence(SequenceConfig.builder().dModel(DIM).build())
                        .image(config(resize)))
                .build());
    }

    static ImageConfig config(ResizeConfig resize) {
        return ImageConfig.builder()
                .patch(PATCH)
                .grid(GRID, GRID)
                .position(Position.LEARNED)
                .hasBias(true)
                .mean(0.5f, 0.5f, 0.5f)
                .std(0.5f, 0.5f, 0.5f)
                .resize(resize)
                .build();
    }

    static Session session(int threads, Precision precision, ResizeConfig resize, int pixels, Closing closing) {
        Model model = model(threads, precision, resize, closing);
        return closing.add(model.newSession(limits(pixels)));
    }

    private static SessionLimits limits(int pixels) {
        return SessionLimits.builder()
                .maxItems(1)
                .maxTokens(TOKENS)
                .maxPixels(pixels)
                .build();
    }

    private static List<Contender> device(
            Precision precision, ResizeConfig resize, int height, int width, int batch, Closing closing) {
        return DeviceRequests.of(
                model(DeviceRequests.engine(precision, closing), resize, closing),
                limits(height * width),
                batch,
                ByteBuffer.wrap(new Values().picture(height, width)),
                pixels -> session -> session.image(pixels, height, width, 3),
                result -> result.tokens().values(),
                closing);
    }

    private static Contender ours(Session session, byte[] rgb, int height, int width) {
        ByteBuffer pixels = Values.direct(rgb);
        return new Contender(
                Contender.OURS,
                () -> session.clear().image(pixels, height, width, 3).run(),
                () -> Values.of(session.clear()
                        .image(pixels, height, width, 3)
                        .run()
                        .tokens()
                        .values()));
    }

    private static List<Contender> strict(int threads, Closing closing) throws OrtException {
        LibTorch.setUp(threads);
        byte[] rgb = new Values().picture(SIZE, SIZE);
        Projection p = new Projection(new Values());
        Tensor image = LibTorch.tensor(rgb, SIZE, SIZE, 3);
        Tensor weight = LibTorch.tensor(p.interleaved(), DIM, IN);
        Tensor bias = LibTorch.tensor(p.foldedBias, DIM);
        Tensor position = LibTorch.tensor(p.position, TOKENS, DIM);
        return List.of(
                ours(session(threads, Precision.STRICT, ResizeConfig.NONE, SIZE * SIZE, closing), rgb, SIZE, SIZE),
                folded(p, threads, Values.direct(rgb), closing).contender("folded, linear"),
                LibTorch.contender(
                        "folded, linear",
                        () -> LibTorch.plus(LibTorch.linear(LibTorch.widened(patches(image)), weight, bias), position)),
                LibTorch.contender("normalise + conv", new TorchConv(p, () -> image)::run));
    }

    private static List<Contender> fast(int threads, Closing closing) {
        LibTorch.setUp(threads);
        byte[] rgb = new Values().picture(SIZE, SIZE);
        Projection p = new Projection(new Values());
        Tensor image = LibTorch.tensor(rgb, SIZE, SIZE, 3);
        // Pixels are exact in bfloat16; centred, so that the weights' rounding meets small numbers.
        float[] centredBias = p.bias.clone();
        for (int o = 0; o < DIM; o++) {
            for (int i = 0; i < IN; i++) {
                centredBias[o] += p.weight[o * IN + i] * (128 / 127.5f - 1);
            }
        }
        Tensor weight = LibTorch.halved(LibTorch.tensor(p.interleaved(), DIM, IN));
        Tensor bias = LibTorch.halved(LibTorch.tensor(centredBias, DIM));
        Tensor position = LibTorch.tensor(p.position, TOKENS, DIM);
        Scalar grey = new Scalar(128.0);
        return List.of(
                ours(session(threads, Precision.FAST, ResizeConfig.NONE, SIZE * SIZE, closing), rgb, SIZE, SIZE),
                LibTorch.contender(
                        "bf16 folded, linear",
                        () -> LibTorch.plus(
                                LibTorch.widened(LibTorch.linear(
                                        LibTorch.halved(patches(image)).sub_(grey), weight, bias)),
                                position)));
    }

    /** Bytes [224, 224, 3] to patches (p1 p2 c), still bytes. */
    private static Tensor patches(Tensor image) {
        return image.reshape(GRID, PATCH, GRID, PATCH, 3)
                .permute(0, 2, 1, 3, 4)
                .contiguous()
                .reshape(TOKENS, IN);
    }

    /** As usually written: float, normalise, Conv2d, flatten, add. */
    static final class TorchConv {
        private final Supplier<Tensor> image;
        private final Tensor weight;
        private final Tensor bias;
        private final Tensor position;
        private final Tensor half = LibTorch.tensor(Values.filled(127.5f, 3), 3, 1, 1);

        TorchConv(Projection p, Supplier<Tensor> image) {
            this.image = image;
            weight = LibTorch.tensor(p.weight, DIM, 3, PATCH, PATCH);
            bias = LibTorch.tensor(p.bias, DIM);
            position = LibTorch.tensor(p.position, TOKENS, DIM);
        }

        Tensor run() {
            Tensor x = LibTorch.widened(image.get().permute(2, 0, 1)).contiguous();
            x = x.sub_(half, new Scalar(1.0)).div_(half).unsqueeze(0);
            Tensor y = torch.conv2d(
                    x, weight, LibTorch.some(bias), new long[] {PATCH, PATCH}, new long[] {0, 0}, new long[] {1, 1}, 1);
            return LibTorch.plus(y.reshape(DIM, TOKENS).transpose(0, 1).contiguous(), position);
        }
    }

    /** The strongest graph: bytes rearranged, then floats, one matrix product with the normalisation folded in. */
    private static OnnxRuntime folded(Projection p, int threads, ByteBuffer pixels, Closing closing)
            throws OrtException {
        OnnxGraph g = new OnnxGraph();
        String x = g.reshape(g.input("x", OnnxGraph.UINT8, SIZE, SIZE, 3), GRID, PATCH, GRID, PATCH, 3);
        x = g.reshape(g.transpose(x, 0, 2, 1, 3, 4), TOKENS, IN);
        x = g.node("Cast", x, OnnxGraph.attribute("to", OnnxGraph.FLOAT));
        String y = g.product(x, p.interleaved(), DIM, IN);
        y = g.node("Add", new String[] {y, g.constant(p.foldedPosition(), TOKENS, DIM)});
        return closing.add(new OnnxRuntime(
                g.model(y, OnnxGraph.FLOAT, TOKENS, DIM),
                threads,
                pixels,
                new long[] {SIZE, SIZE, 3},
                y,
                Values.floats(TOKENS * DIM),
                new long[] {TOKENS, DIM}));
    }

    private static Tensor resized(Tensor picture, InterpolateFuncOptions options) {
        // [h, w, c] seen as channels-last [1, c, h, w]: what torch's byte kernel is fastest with.
        return torch.interpolate(picture.permute(2, 0, 1).unsqueeze(0), options)
                .squeeze(0)
                .permute(1, 2, 0);
    }

    private static InterpolateFuncOptions antialiased() {
        InterpolateFuncOptions options = new InterpolateFuncOptions();
        options.size().put(new LongVectorOptional(new LongVector(SIZE, SIZE)));
        options.mode().put(new kBilinear());
        options.align_corners().put(false);
        options.antialias().put(true);
        return options;
    }

    private static BufferedImage awt(byte[] rgb) {
        BufferedImage image = new BufferedImage(WIDTH, HEIGHT, BufferedImage.TYPE_3BYTE_BGR);
        byte[] bgr = ((DataBufferByte) image.getRaster().getDataBuffer()).getData();
        for (int i = 0; i < bgr.length; i += 3) {
            bgr[i] = rgb[i + 2];
            bgr[i + 1] = rgb[i + 1];
            bgr[i + 2] = rgb[i];
        }
        return image;
    }

    private static BufferedImage thumbnail(BufferedImage picture) {
        try {
            return Thumbnails.of(picture).forceSize(SIZE, SIZE).asBufferedImage();
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
    }

    private static BufferedImage areaAverage(BufferedImage picture) {
        BufferedImage out = new BufferedImage(SIZE, SIZE, BufferedImage.TYPE_3BYTE_BGR);
        Graphics2D graphics = out.createGraphics();
        graphics.drawImage(picture.getScaledInstance(SIZE, SIZE, Image.SCALE_AREA_AVERAGING), 0, 0, null);
        graphics.dispose();
        return out;
    }

    private static Contender resizer(String name, Engine engine, byte[] rgb) {
        Resizer resizer = engine.resizer(ResizeConfig.squash(SIZE, SIZE, ResizeConfig.Filter.BILINEAR));
        ByteBuffer in = Values.direct(rgb);
        ByteBuffer out = ByteBuffer.allocateDirect(SIZE * SIZE * 3);
        return new Contender(name, () -> resizer.run(in, HEIGHT, WIDTH, 3, out), () -> Values.of(out));
    }

    private static List<Contender> resize(int threads, Closing closing) {
        LibTorch.setUp(threads);
        byte[] rgb = new Values().picture(HEIGHT, WIDTH);
        Engine engine = closing.add(Engine.builder().threads(threads).open());
        Tensor picture = LibTorch.tensor(rgb, HEIGHT, WIDTH, 3);
        InterpolateFuncOptions options = antialiased();
        List<Contender> all = new ArrayList<>(List.of(
                resizer(Contender.OURS, engine, rgb),
                LibTorch.contender("byte kernel", () -> resized(picture, options))));
        if (threads == 1) {
            BufferedImage image = awt(rgb);
            all.add(new Contender("Java Thumbnailator", () -> thumbnail(image), null));
            all.add(new Contender("Java area average", () -> areaAverage(image), null));
        }
        return all;
    }

    private static List<Contender> resizeAndEmbed(int threads, Closing closing) throws OrtException {
        LibTorch.setUp(threads);
        byte[] rgb = new Values().picture(HEIGHT, WIDTH);
        Projection p = new Projection(new Values());
        Tensor picture = LibTorch.tensor(rgb, HEIGHT, WIDTH, 3);
        InterpolateFuncOptions options = antialiased();
        ByteBuffer small = ByteBuffer.allocateDirect(SIZE * SIZE * 3);
        BytePointer to = new BytePointer(small);
        OnnxRuntime linear = folded(p, threads, small, closing);
        ResizeConfig squash = ResizeConfig.squash(SIZE, SIZE, ResizeConfig.Filter.BILINEAR);
        Runnable mixed = () -> {
            try (PointerScope scope = new PointerScope()) {
                Tensor resized = resized(picture, options).contiguous();
                BytePointer.memcpy(to, resized.data_ptr(), small.capacity());
            }
            linear.run();
        };
        BufferedImage image = awt(rgb);
        OnnxRuntime conv = conv(p, threads, closing);
        return List.of(
                ours(session(threads, Precision.STRICT, squash, HEIGHT * WIDTH, closing), rgb, HEIGHT, WIDTH),
                new Contender("libtorch resize, ONNX Runtime", mixed, linear::output),
                LibTorch.contender(
                        "resize + normalise + conv",
                        new TorchConv(p, () -> resized(picture, options).contiguous())::run),
                new Contender(
                        "Java Thumbnailator, ONNX Runtime",
                        () -> {
                            normalise(thumbnail(image), conv.floats());
                            conv.run();
                        },
                        null),
                new Contender(
                        "Java area average, ONNX Runtime",
                        () -> {
                            normalise(areaAverage(image), conv.floats());
                            conv.run();
                        },
                        null));
    }

    /** The loops between a BufferedImage and a model: planes of normalised floats. */
    private static void normalise(BufferedImage image, FloatBuffer out) {
        for (int y = 0; y < SIZE; y++) {
            for (int x = 0; x < SIZE; x++) {
                int rgb = image.getRGB(x, y);
                int at = y * SIZE + x;
                out.put(at, ((rgb >> 16 & 0xFF) / 255f - 0.5f) / 0.5f);
                out.put(SIZE * SIZE + at, ((rgb >> 8 & 0xFF) / 255f - 0.5f) / 0.5f);
                out.put(2 * SIZE * SIZE + at, ((rgb & 0xFF) / 255f - 0.5f) / 0.5f);
            }
        }
    }

    /** The usual graph: normalised floats into a convolution. */
    private static OnnxRuntime conv(Projection p, int threads, Closing closing) throws OrtException {
        OnnxGraph g = new OnnxGraph();
        String x = g.input("x", OnnxGraph.FLOAT, 1, 3, SIZE, SIZE);
        String y = g.node(
                "Conv",
                new String[] {x, g.constant(p.weight, DIM, 3, PATCH, PATCH), g.constant(p.bias, DIM)},
                OnnxGraph.list("kernel_shape", PATCH, PATCH),
                OnnxGraph.list("strides", PATCH, PATCH));
        y = g.transpose(g.reshape(y, DIM, TOKENS), 1, 0);
        y = g.node("Add", new String[] {y, g.constant(p.position, TOKENS, DIM)});
        return closing.add(new OnnxRuntime(
                g.model(y, OnnxGraph.FLOAT, TOKENS, DIM),
                threads,
                Values.floats(3 * SIZE * SIZE),
                new long[] {1, 3, SIZE, SIZE},
                y,
                Values.floats(TOKENS * DIM),
                new long[] {TOKENS, DIM}));
    }
}
