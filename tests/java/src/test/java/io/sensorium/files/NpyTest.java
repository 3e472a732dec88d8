package io.sensorium.files;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.CorruptInputException;
import io.sensorium.LimitExceededException;
import io.sensorium.SensoriumException;
import io.sensorium.models.DType;
import io.sensorium.models.FileTensor;
import io.sensorium.models.Npy;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class NpyTest {
    @TempDir
    Path folder;

    private static byte[] file(int version, String header, byte[] payload) {
        byte[] text = (header + "\n").getBytes(StandardCharsets.ISO_8859_1);
        int start = version == 1 ? 10 : 12;
        ByteBuffer out = ByteBuffer.allocate(start + text.length + payload.length)
                .order(ByteOrder.LITTLE_ENDIAN)
                .put((byte) 0x93)
                .put("NUMPY".getBytes(StandardCharsets.ISO_8859_1))
                .put((byte) version)
                .put((byte) 0);
        if (version == 1) {
            out.putShort((short) text.length);
        } else {
            out.putInt(text.length);
        }
        return out.put(text).put(payload).array();
    }

    private static String header(String descr, boolean fortran, String shape) {
        return "{'descr': " + descr + ", 'fortran_order': " + (fortran ? "True" : "False") + ", 'shape': " + shape
                + ", }";
    }

    private FileTensor read(byte[] bytes) throws IOException {
        return Npy.read(Files.write(folder.resolve("x.npy"), bytes));
    }

    private static float[] values(FileTensor tensor) {
        float[] out = new float[tensor.values().remaining()];
        tensor.values().duplicate().get(out);
        return out;
    }

    @ParameterizedTest
    @CsvSource({
        "|b1, BOOL, 01 00 01",
        "|u1, U8, 01 80 FF",
        "|i1, I8, 01 80 FF",
        "<u2, U16, 01 00 00 80 FF FF",
        ">i2, I16, 00 01 80 00 FF FF",
        "<i4, I32, 01 00 00 00 00 00 00 80 FF FF FF FF",
        ">u4, U32, 00 00 00 01 80 00 00 00 FF FF FF FF",
        "<f2, F16, 00 3C 00 C0 00 00",
        ">f4, F32, 3F 80 00 00 C0 00 00 00 00 00 00 00",
        "<f8, F64, 00 00 00 00 00 00 F0 3F 00 00 00 00 00 00 00 C0 00 00 00 00 00 00 00 00"
    })
    void everyPlainTypeIsRead(String descr, DType dtype, String hex) throws IOException {
        byte[] payload = java.util.HexFormat.ofDelimiter(" ").parseHex(hex);
        float[] want = switch (dtype) {
            case BOOL -> new float[] {1, 0, 1};
            case U8 -> new float[] {1, 128, 255};
            case I8 -> new float[] {1, -128, -1};
            case U16 -> new float[] {1, 32768, 65535};
            case I16 -> new float[] {1, -32768, -1};
            case I32 -> new float[] {1, -0x1p31f, -1};
            case U32 -> new float[] {1, 0x1p31f, 0x1p32f};
            default -> new float[] {1, -2, 0};
        };
        for (int version : new int[] {1, 2, 3}) {
            FileTensor tensor = read(file(version, header("'" + descr + "'", false, "(3,)"), payload));
            assertEquals(dtype, tensor.dtype());
            assertArrayEquals(new long[] {3}, tensor.shape());
            assertArrayEquals(want, values(tensor));
        }
    }

    @Test
    void fortranOrderIsTurned() throws IOException {
        byte[] payload = {0, 3, 1, 4, 2, 5}; // [[0, 1, 2], [3, 4, 5]], the first index running fastest
        FileTensor tensor = read(file(1, header("'|u1'", true, "(2, 3)"), payload));
        assertArrayEquals(new float[] {0, 1, 2, 3, 4, 5}, values(tensor));
        byte[] cube = {0, 4, 2, 6, 1, 5, 3, 7};
        assertArrayEquals(
                new float[] {0, 1, 2, 3, 4, 5, 6, 7}, values(read(file(1, header("'|u1'", true, "(2, 2, 2)"), cube))));
        assertArrayEquals(new float[] {9}, values(read(file(1, header("'|u1'", false, "()"), new byte[] {9}))));
        assertEquals(
                0,
                read(file(1, header("'<f4'", true, "(0, 7)"), new byte[0]))
                        .values()
                        .remaining());
    }

    /** Refused by what the header says, before its numbers cost anything. */
    @ParameterizedTest
    @ValueSource(
            strings = {
                "{'descr': '|O', 'fortran_order': False, 'shape': (1,), }",
                "{'descr': '<U4', 'fortran_order': False, 'shape': (1,), }",
                "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }",
                "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (1000000000000,), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (999999999999999999, 999999999999999999), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (1e9,), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': 1, }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }",
                "{'descr': '<f4', 'fortran_order': False, 'shape': (0,), }",
                "{'descr': '<f4', 'shape': (1,), }",
                "{'descr': '<f4', 'descr': '<f4', 'shape': (1,), }",
                "{'descr': '<f4', 'fortran_order': 1, 'shape': (1,), }",
                "__import__('os').system('true')",
                ""
            })
    void refused(String header) {
        byte[] bytes = file(1, header, new byte[4]);
        assertThrows(CorruptInputException.class, () -> read(bytes));
    }

    @Test
    void brokenFilesAreTold() throws IOException {
        byte[] good = file(1, header("'<f4'", false, "(2, 2)"), new byte[16]);
        for (int length = 0; length < good.length; length++) {
            byte[] cut = java.util.Arrays.copyOf(good, length);
            assertThrows(CorruptInputException.class, () -> read(cut), "cut at " + length);
        }
        byte[] huge = file(2, " ".repeat(20_000), new byte[0]);
        assertTrue(assertThrows(CorruptInputException.class, () -> read(huge))
                .getMessage()
                .contains("header"));
        Random random = new Random(3);
        for (int i = 0; i < 3000; i++) {
            byte[] bytes = good.clone();
            for (int k = 0; k <= i % 3; k++) {
                bytes[random.nextInt(bytes.length)] = (byte) random.nextInt();
            }
            try {
                read(bytes);
            } catch (CorruptInputException | LimitExceededException e) {
                assertTrue(((SensoriumException) e).getMessage().startsWith("x.npy: "));
            }
        }
    }
}
