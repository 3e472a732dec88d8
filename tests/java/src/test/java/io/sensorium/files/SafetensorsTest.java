package io.sensorium.files;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.InvalidWeightsException;
import io.sensorium.models.DType;
import io.sensorium.models.Safetensors;
import io.sensorium.models.SafetensorsWriter;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Random;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class SafetensorsTest {
    @TempDir
    Path folder;

    static byte[] file(String header, byte[] payload) {
        byte[] json = header.getBytes(StandardCharsets.UTF_8);
        return ByteBuffer.allocate(8 + json.length + payload.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .putLong(json.length)
                .put(json)
                .put(payload)
                .array();
    }

    private static Safetensors parse(String header, int payload) {
        return Safetensors.parse(file(header, new byte[payload]), "test");
    }

    private static byte[] valid() {
        return file(
                "{\"__metadata__\":{\"k\":\"v\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24]},"
                        + "\"b\":{\"dtype\":\"I64\",\"shape\":[],\"data_offsets\":[24,32]}}  ",
                new byte[32]);
    }

    @Test
    void whatIsWrittenIsReadBack() throws IOException {
        Path path = folder.resolve("x.safetensors");
        new SafetensorsWriter()
                .metadata("notice", "ünïcode")
                .add("ints", IntBuffer.wrap(new int[] {1, -2, 3}), 3)
                .add("floats", FloatBuffer.wrap(new float[] {0, 1.5f, -2, 3}, 1, 3), 3, 1)
                .add("longs", LongBuffer.wrap(new long[] {Long.MIN_VALUE, 7}), 2)
                .add("empty", FloatBuffer.allocate(0), 0, 5)
                .write(path);
        try (Safetensors read = Safetensors.open(path)) {
            assertEquals("ünïcode", read.metadata().get("notice"));
            assertArrayEquals(new long[] {3, 1}, read.info("floats").dims());
            FloatBuffer floats = read.floats("floats");
            assertTrue(floats.isDirect());
            assertEquals(FloatBuffer.wrap(new float[] {1.5f, -2, 3}), floats);
            assertArrayEquals(new double[] {1, -2, 3}, read.doubles("ints"));
            assertArrayEquals(new double[] {Long.MIN_VALUE, 7}, read.doubles("longs"));
            assertEquals(0, read.floats("empty").remaining());
            assertThrows(InvalidWeightsException.class, () -> read.floats("ints"));
            assertThrows(InvalidWeightsException.class, () -> read.floats("nothing"));
        }
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(List.of(path), files.toList(), "no temporary file is left");
        }
    }

    @Test
    void largeTensorsCrossChunks() throws IOException {
        Path path = folder.resolve("large.safetensors");
        int n = (1 << 18) * 2 + 12345;
        FloatBuffer data = FloatBuffer.allocate(n);
        for (int i = 0; i < n; i++) {
            data.put(i, i * 0.25f);
        }
        new SafetensorsWriter().add("x", data, n).write(path);
        try (Safetensors read = Safetensors.open(path)) {
            assertEquals(data, read.floats("x"));
        }
    }

    @Test
    void aFailedWriteLeavesTheOldFile() throws IOException {
        Path path = folder.resolve("x.safetensors");
        Files.writeString(path, "old");
        Path occupied = Files.createDirectory(folder.resolve("dir"));
        Files.createFile(occupied.resolve("child"));
        assertThrows(
                IOException.class,
                () -> new SafetensorsWriter()
                        .add("a", FloatBuffer.allocate(1), 1)
                        .write(occupied));
        assertThrows(
                IllegalArgumentException.class, () -> new SafetensorsWriter().add("a", FloatBuffer.allocate(2), 3));
        assertEquals("old", Files.readString(path));
        try (Stream<Path> files = Files.list(folder)) {
            assertEquals(2, files.count());
        }
    }

    /** All 65,536 halves and bfloats against their definitions. */
    @Test
    void halvesConvertExactly() {
        ByteBuffer payload = ByteBuffer.allocate(2 << 16).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < 1 << 16; i++) {
            payload.putShort((short) i);
        }
        for (String type : List.of("F16", "BF16")) {
            String header = "{\"x\":{\"dtype\":\"" + type + "\",\"shape\":[65536],\"data_offsets\":[0,131072]}}";
            FloatBuffer got =
                    Safetensors.parse(file(header, payload.array()), "test").floats("x");
            int exponentBits = type.equals("F16") ? 5 : 8;
            int fractionBits = 15 - exponentBits;
            int bias = (1 << exponentBits - 1) - 1;
            for (int i = 0; i < 1 << 16; i++) {
                int exponent = i >> fractionBits & (1 << exponentBits) - 1;
                int fraction = i & (1 << fractionBits) - 1;
                double magnitude;
                if (exponent == (1 << exponentBits) - 1) {
                    magnitude = fraction == 0 ? Double.POSITIVE_INFINITY : Double.NaN;
                } else if (exponent == 0) {
                    magnitude = Math.scalb((double) fraction, 1 - bias - fractionBits);
                } else {
                    magnitude = Math.scalb((double) (fraction | 1 << fractionBits), exponent - bias - fractionBits);
                }
                float want = (float) (i >> 15 == 0 ? magnitude : -magnitude);
                assertEquals(want, got.get(i), type + " " + i);
            }
        }
    }

    @Test
    void everyTruncationIsRefused() {
        byte[] whole = valid();
        Safetensors.parse(whole, "test").doubles("b");
        for (int n = 0; n < whole.length; n++) {
            byte[] cut = java.util.Arrays.copyOf(whole, n);
            assertThrows(InvalidWeightsException.class, () -> Safetensors.parse(cut, "test"), "cut at " + n);
        }
        byte[] longer = java.util.Arrays.copyOf(whole, whole.length + 1);
        assertThrows(InvalidWeightsException.class, () -> Safetensors.parse(longer, "test"));
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            quoteCharacter = '`',
            value = {
                "overlap | 8 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'b':{'dtype':'F32','shape':[2],'data_offsets':[0,8]}}",
                "hole | 12 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'b':{'dtype':'F32','shape':[1],'data_offsets':[8,12]}}",
                "trailing | 5 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}",
                "cut off | 3 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}",
                "uplicate | 4 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]},'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4]}}",
                "overflows | 4 | {'a':{'dtype':'F32','shape':[4611686018427387904,4],'data_offsets':[0,4]}}",
                "overflows | 0 | {'a':{'dtype':'F32','shape':[4611686018427387904,4,0],'data_offsets':[0,0]}}",
                "do not hold | 4 | {'a':{'dtype':'F32','shape':[2],'data_offsets':[0,4]}}",
                "do not hold | 4 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[4,0]}}",
                "do not hold | 4 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[9223372036854775804,9223372036854775807]}}",
                "integers | 4 | {'a':{'dtype':'F32','shape':[-1],'data_offsets':[0,4]}}",
                "integers | 4 | {'a':{'dtype':'F32','shape':[1.0],'data_offsets':[0,4]}}",
                "integers | 4 | {'a':{'dtype':'F32','shape':[1e999],'data_offsets':[0,4]}}",
                "integers | 4 | {'a':{'dtype':'F32','shape':[18446744073709551616],'data_offsets':[0,4]}}",
                "unknown dtype | 4 | {'a':{'dtype':'F33','shape':[1],'data_offsets':[0,4]}}",
                "unknown field | 4 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4],'x':1}}",
                "needs dtype | 4 | {'a':{'dtype':'F32','shape':[1]}}",
                "needs dtype | 4 | {'a':{'dtype':'F32','shape':[1],'data_offsets':[0,4,4]}}",
                "object | 0 | {'a':7}",
                "a string | 0 | {'__metadata__':{'a':7}}",
                "start with | 0 | [1]",
                "not valid JSON | 0 | {'a'",
                "after the header | 0 | {} {}",
            })
    void faultsAreNamed(String says, int payload, String header) {
        InvalidWeightsException e =
                assertThrows(InvalidWeightsException.class, () -> parse(header.replace('\'', '"'), payload));
        assertTrue(e.getMessage().contains(says), e.getMessage());
        assertTrue(e.getMessage().startsWith("test: "), e.getMessage());
    }

    @Test
    void headersAreCapped() {
        for (long length : new long[] {100_000_001, Long.MAX_VALUE, -1, Long.MIN_VALUE}) {
            byte[] bytes = ByteBuffer.allocate(64)
                    .order(ByteOrder.LITTLE_ENDIAN)
                    .putLong(length)
                    .array();
            InvalidWeightsException e =
                    assertThrows(InvalidWeightsException.class, () -> Safetensors.parse(bytes, "test"));
            assertTrue(e.getMessage().contains("limit"), e.getMessage());
        }
    }

    @Test
    void deepJsonIsRefused() {
        String deep = "{\"a\":".repeat(100_000) + "1" + "}".repeat(100_000);
        assertThrows(InvalidWeightsException.class, () -> parse(deep, 0));
        String arrays = "{\"a\":{\"shape\":" + "[".repeat(100_000) + "]".repeat(100_000) + "}}";
        assertThrows(InvalidWeightsException.class, () -> parse(arrays, 0));
    }

    @Test
    void mutationsNeverEscape() {
        long seed = System.nanoTime();
        Random random = new Random(seed);
        byte[] whole = valid();
        int opened = 0;
        for (int round = 0; round < 20_000; round++) {
            byte[] bytes = whole.clone();
            for (int i = random.nextInt(4); i >= 0; i--) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt(256);
            }
            try (Safetensors read = Safetensors.parse(bytes, "fuzz")) {
                read.tensors().values().stream()
                        .filter(info -> info.dtype() != DType.U64
                                && info.dtype() != DType.F8_E4M3
                                && info.dtype() != DType.F8_E5M2)
                        .forEach(info -> assertEquals(info.count(), read.doubles(info.name()).length));
                opened++;
            } catch (InvalidWeightsException expected) {
                assertFalse(expected.getMessage().isEmpty());
            } catch (Throwable e) {
                throw new AssertionError("seed " + seed + ", round " + round, e);
            }
        }
        assertTrue(opened > 0, "seed " + seed + ": no mutation was harmless");
    }

    @Test
    void aFileCutWhileOpenIsAnError() throws IOException {
        Path path = folder.resolve("x.safetensors");
        new SafetensorsWriter().add("x", FloatBuffer.allocate(100_000), 100_000).write(path);
        try (Safetensors read = Safetensors.open(path);
                RandomAccessFile other = new RandomAccessFile(path.toFile(), "rw")) {
            other.setLength(1000);
            InvalidWeightsException e = assertThrows(InvalidWeightsException.class, () -> read.floats("x"));
            assertTrue(e.getMessage().contains("ended"), e.getMessage());
        }
    }
}
