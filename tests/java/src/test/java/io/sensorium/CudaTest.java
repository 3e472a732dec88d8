package io.sensorium;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.files.Checkout;
import java.io.File;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * A CUDA engine through the whole Java API, in a JVM of its own: on the GPU if SENSORIUM_CUDA_LIBRARY names its library,
 * else on the host SIMT executor, which the native build leaves beside its tests.
 */
@Timeout(180)
class CudaTest {
    @TempDir
    Path temporary;

    @Test
    void sessions() throws Exception {
        run("all");
    }

    /** CUDA's libraries are links to nothing that can be opened. */
    @Test
    void withoutCuFft() throws Exception {
        run(CudaChecks.NO_FFT);
    }

    private void run(String what) throws Exception {
        String library = System.getenv("SENSORIUM_CUDA_LIBRARY");
        boolean onGpu = library != null && !library.isEmpty();
        if (!onGpu) {
            assertTrue(
                    System.getenv("SENSORIUM_REQUIRE_CUDA") == null,
                    "SENSORIUM_REQUIRE_CUDA is set, and SENSORIUM_CUDA_LIBRARY names no library");
            library = Checkout.root()
                    .resolve("java/core/target/cmake/tests/native/libsensorium_simt.so")
                    .toString();
        }
        assertTrue(new File(library).exists(), library + " is not built");
        Path output = temporary.resolve("output.txt");
        ProcessBuilder builder = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "--enable-native-access=ALL-UNNAMED",
                        "-cp",
                        System.getProperty("java.class.path"),
                        CudaChecks.class.getName(),
                        what)
                .redirectErrorStream(true)
                .redirectOutput(output.toFile());
        builder.environment().put("SENSORIUM_CUDA_LIBRARY", library);
        boolean missing = what.equals(CudaChecks.NO_FFT);
        if (!onGpu || missing) { // the executor's library has cuFFT's functions, too
            Path target = missing ? Files.createFile(temporary.resolve("empty")) : Path.of(library);
            Path fft = Files.createDirectory(temporary.resolve("cufft"));
            for (String name :
                    List.of("libcufft.so.12", "libcudart.so.13", "libcuda.so.1")) { // what the presets link to
                if (missing && name.startsWith("libcuda.")) { // the driver's, which a GPU's engine needs
                    continue;
                }
                Files.createSymbolicLink(fft.resolve(name), target);
            }
            builder.environment().put("LD_LIBRARY_PATH", fft.toString());
        }
        Process process = builder.start();
        assertTrue(process.waitFor(150, TimeUnit.SECONDS), "the JVM did not end");
        String text = Files.readString(output);
        assertEquals(0, process.exitValue(), text);
        assertTrue(text.contains("all checked"), text);
        assertEquals(!onGpu, text.contains("device host SIMT executor"), text);
    }
}
