package io.sensorium.golden;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import io.sensorium.Codebook;
import io.sensorium.CodebookConfig;
import io.sensorium.Engine;
import io.sensorium.models.Safetensors;
import java.io.IOException;
import java.nio.LongBuffer;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class CodesGoldenTest {
    @Test
    void idsEqualTheReference() throws IOException {
        try (Engine engine = Engine.open();
                Safetensors expected = Golden.expected("vq")) {
            long[] z = expected.info("z").dims();
            long[] book = expected.info("codebook").dims();
            long[] stages = expected.info("rvq_codebooks").dims();
            CodebookConfig vq = CodebookConfig.vq((int) book[0], (int) book[1]);
            CodebookConfig rvq = CodebookConfig.residual((int) stages[0], (int) stages[1], (int) stages[2]);
            try (Codebook codebook = Codebook.of(engine, vq, expected.floats("codebook"));
                    Codebook residual = Codebook.of(engine, rvq, expected.floats("rvq_codebooks"))) {
                assertArrayEquals(ids(expected, "ids"), array(codebook.encode(expected.floats("z"), (int) z[0])));
                assertArrayEquals(ids(expected, "rvq_ids"), array(residual.encode(expected.floats("z"), (int) z[0])));
            }
        }
    }

    private static long[] ids(Safetensors file, String tensor) {
        return Arrays.stream(file.doubles(tensor)).mapToLong(id -> (long) id).toArray();
    }

    private static long[] array(LongBuffer ids) {
        long[] out = new long[ids.remaining()];
        ids.get(0, out);
        return out;
    }
}
