package io.sensorium.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.sensorium.Engine;
import io.sensorium.InvalidShapeException;
import io.sensorium.InvalidWeightsException;
import io.sensorium.Model;
import io.sensorium.ResizeConfig;
import io.sensorium.Result;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.files.Checkout;
import io.sensorium.media.Picture;
import io.sensorium.media.Pictures;
import io.sensorium.models.ImageFrontEnd;
import io.sensorium.models.ImagePreset;
import io.sensorium.models.ImagePresets;
import io.sensorium.models.ModelLoader;
import io.sensorium.models.ModelSpec;
import io.sensorium.models.Safetensors;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ImageGoldenTest {
    private static Engine engine;

    @BeforeAll
    static void open() {
        engine = Engine.open();
    }

    @AfterAll
    static void close() {
        engine.close();
    }

    private static Picture chelsea() throws IOException {
        return Pictures.read(Checkout.root().resolve("samples/chelsea.png"));
    }

    private static JsonNode json(String text) throws IOException {
        return new ObjectMapper().readTree(text);
    }

    /** Bit for bit: bytes, patches and the order of the float operations. */
    @ParameterizedTest
    @ValueSource(strings = {"image-clip-chelsea", "image-siglip2-naflex-chelsea", "image-qwen2-vl-small-chelsea"})
    void pixelValuesAreThoseOfTransformers(String name) throws IOException {
        JsonNode config = new ObjectMapper()
                .readTree(Golden.folder(name).resolve("config.json").toFile());
        Picture picture = chelsea();
        ImageFrontEnd.Pixels pixels = new ImageFrontEnd(engine, ImagePresets.configured(config))
                .run(picture.pixels(), picture.height(), picture.width());
        try (Safetensors expected = Golden.expected(name)) {
            FloatBuffer want = expected.floats("pixel_values");
            assertEquals(want.remaining(), pixels.values().remaining());
            assertEquals(-1, want.mismatch(pixels.values()));
            String grid = name.contains("naflex") ? "spatial_shapes" : "image_grid_thw";
            if (!name.contains("clip")) {
                double[] sizes = expected.doubles(grid);
                assertEquals(sizes[sizes.length - 2], pixels.gridH());
                assertEquals(sizes[sizes.length - 1], pixels.gridW());
            }
        }
    }

    /** Bytes of any size give a model the tokens that the front end's pixel values give it. */
    @ParameterizedTest
    @ValueSource(strings = {"model-vit", "model-clip-vision", "model-siglip-vision"})
    void modelsTakeBytesOfAnySize(String name) throws IOException {
        Picture picture = chelsea();
        try (ModelSpec spec = ModelLoader.open(Golden.folder(name));
                Model model = spec.build(engine);
                Session session = model.newSession(SessionLimits.builder()
                        .maxItems(1)
                        .maxTokens(64)
                        .maxPixels((long) picture.height() * picture.width())
                        .build())) {
            String preset = name.equals("model-vit") ? "vit" : name.equals("model-siglip-vision") ? "siglip" : "clip";
            String size = preset.equals("clip")
                    ? "{\"size\":{\"shortest_edge\":64},\"crop_size\":{\"height\":64,\"width\":64}}"
                    : "{\"size\":{\"height\":64,\"width\":64}}";
            ImageFrontEnd.Pixels pixels = new ImageFrontEnd(engine, ImagePresets.configured(preset, json(size)))
                    .run(picture.pixels(), picture.height(), picture.width());
            Result fromPixels =
                    session.clear().pixels(pixels.values(), 3, 64, 64).run();
            double[] want = new double[fromPixels.tokens().values().remaining()];
            for (int i = 0; i < want.length; i++) {
                want[i] = fromPixels.tokens().values().get(i);
            }
            Result fromBytes = session.clear()
                    .image(picture.pixels(), picture.height(), picture.width(), 3)
                    .run();
            Golden.assertNmse(want, fromBytes.tokens().values(), 1e-9);
        }
    }

    @Test
    void preprocessorConfigurationsAreRead() throws IOException {
        ImagePreset older = ImagePresets.configured(json(
                "{\"feature_extractor_type\":\"CLIPFeatureExtractor\",\"size\":336,\"crop_size\":300,\"resample\":2}"));
        assertEquals(
                ResizeConfig.builder()
                        .mode(ResizeConfig.Mode.SHORTEST_EDGE)
                        .filter(ResizeConfig.Filter.BILINEAR)
                        .height(336)
                        .cropH(300)
                        .cropW(300)
                        .build(),
                older.resize());
        ImagePreset raw = ImagePresets.configured(json(
                "{\"image_processor_type\":\"ViTImageProcessorFast\",\"do_resize\":false,\"do_normalize\":false}"));
        assertEquals(ResizeConfig.Mode.NONE, raw.resize().mode());
        ImageFrontEnd.Pixels pixels =
                new ImageFrontEnd(engine, raw).run(java.nio.ByteBuffer.wrap(new byte[] {0, (byte) 255, 51}), 1, 1);
        assertArrayEquals(new long[] {3, 1, 1}, pixels.shape());
        assertEquals(1f, pixels.values().get(1));
        assertEquals((float) (51 * (1 / 255.0)), pixels.values().get(2));
        for (String bad : new String[] {
            "{\"image_processor_type\":\"OtherImageProcessor\"}",
            "{\"image_processor_type\":\"ViTImageProcessor\",\"size\":{\"longest_edge\":3}}",
            "{\"image_processor_type\":\"ViTImageProcessor\",\"resample\":6}",
            "{\"image_processor_type\":\"ViTImageProcessor\",\"image_std\":[0,1,1]}",
            "{\"image_processor_type\":\"ViTImageProcessor\",\"do_center_crop\":true}",
            "{\"image_processor_type\":\"Siglip2ImageProcessor\",\"patch_size\":0}",
            "{}"
        }) {
            JsonNode config = json(bad);
            assertThrows(InvalidWeightsException.class, () -> ImagePresets.configured(config), bad);
        }
        assertTrue(Arrays.asList("vit", "clip", "siglip", "siglip2-naflex", "qwen2-vl")
                .containsAll(ImagePresets.all().keySet()));
        ImageFrontEnd smart = new ImageFrontEnd(engine, ImagePresets.get("qwen2-vl"));
        assertThrows(InvalidShapeException.class, () -> smart.run(java.nio.ByteBuffer.allocate(3 * 201), 1, 201));
    }
}
