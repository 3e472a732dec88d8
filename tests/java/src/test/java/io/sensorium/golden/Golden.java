package io.sensorium.golden;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.sensorium.files.Checkout;
import io.sensorium.models.Safetensors;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;

/** What the golden tests share. */
final class Golden {
    static final String SPEECH = "sense_and_sensibility_01_austen_64kb-0870";

    private Golden() {}

    static Path folder(String name) {
        return Checkout.root().resolve("tests/golden").resolve(name);
    }

    static Safetensors expected(String name) throws IOException {
        return Safetensors.open(folder(name).resolve("expected.safetensors"));
    }

    /** The case's config.json, or no keys. */
    static JsonNode config(String name) throws IOException {
        Path file = folder(name).resolve("config.json");
        ObjectMapper mapper = new ObjectMapper();
        return Files.exists(file) ? mapper.readTree(file.toFile()) : mapper.createObjectNode();
    }

    static FloatBuffer direct(int count) {
        return ByteBuffer.allocateDirect(4 * count)
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
    }

    /** Σ(got−want)²/Σwant² must not pass the limit; NaN fails. */
    static void assertNmse(double[] want, FloatBuffer got, double limit) {
        assertEquals(want.length, got.remaining());
        double difference = 0;
        double energy = 0;
        for (int i = 0; i < want.length; i++) {
            double d = got.get(got.position() + i) - want[i];
            difference += d * d;
            energy += want[i] * want[i];
        }
        double nmse = difference / energy;
        assertTrue(nmse <= limit, "NMSE " + nmse + ", limit " + limit);
    }
}
