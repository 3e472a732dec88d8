package io.sensorium.cli;

import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.Engine;
import io.sensorium.models.ImageFrontEnd;
import io.sensorium.models.ImagePreset;
import io.sensorium.models.SafetensorsWriter;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.LongStream;

/** Pixel values of pictures under the names of the published processors. */
final class PictureFeatures {
    private final ImagePreset preset;
    private final List<ImageFrontEnd.Pixels> pictures = new ArrayList<>();
    private final List<String> sizes = new ArrayList<>();
    private long nanos;

    private PictureFeatures(ImagePreset preset) {
        this.preset = preset;
    }

    static PictureFeatures run(Engine engine, ImagePreset preset, List<InputFile> inputs) throws IOException {
        PictureFeatures out = new PictureFeatures(preset);
        ImageFrontEnd frontEnd = new ImageFrontEnd(engine, preset);
        for (InputFile input : inputs) {
            InputFile.Images images = input.images(preset.upright());
            int count = images.bytes() != null
                    ? images.bytes().size()
                    : images.floats().size();
            for (int i = 0; i < count; i++) {
                int n = i;
                long start = System.nanoTime();
                out.pictures.add(Inputs.named(
                        input.name(),
                        () -> images.bytes() != null
                                ? frontEnd.run(images.bytes().get(n), images.height(), images.width())
                                : frontEnd.run(images.floats().get(n), images.height(), images.width())));
                out.nanos += System.nanoTime() - start;
                out.sizes.add(images.width() + "×" + images.height());
            }
        }
        if (out.pictures.isEmpty()) {
            throw new UserError("no picture in " + inputs.get(0).name());
        }
        return out;
    }

    /** Names and shapes as the reference has them: one row a picture, but Qwen2-VL's patches behind each other. */
    void addTo(SafetensorsWriter writer) {
        int count = pictures.size();
        long[] shape = shape();
        FloatBuffer values = ByteBuffer.allocateDirect(
                        Math.toIntExact(4 * LongStream.of(shape).reduce(1, Math::multiplyExact)))
                .order(ByteOrder.nativeOrder())
                .asFloatBuffer();
        pictures.forEach(p -> values.put(p.values().duplicate()));
        values.flip();
        if (pictures.get(0).bytes()) {
            ByteBuffer bytes = ByteBuffer.allocate(values.remaining());
            while (values.hasRemaining()) {
                bytes.put((byte) (int) values.get());
            }
            writer.add("pixel_values", bytes.flip(), shape);
        } else {
            writer.add("pixel_values", values, shape);
        }
        switch (preset.layout()) {
            case PIXELS -> {}
            case PATCHES -> {
                int most = (int) shape[1];
                int[] mask = new int[count * most];
                long[] grids = new long[2 * count];
                for (int i = 0; i < count; i++) {
                    ImageFrontEnd.Pixels p = pictures.get(i);
                    Arrays.fill(mask, i * most, i * most + p.gridH() * p.gridW(), 1);
                    grids[2 * i] = p.gridH();
                    grids[2 * i + 1] = p.gridW();
                }
                writer.add("pixel_attention_mask", IntBuffer.wrap(mask), count, most);
                writer.add("spatial_shapes", LongBuffer.wrap(grids), count, 2);
            }
            case MERGED -> {
                long[] grids = new long[3 * count];
                for (int i = 0; i < count; i++) {
                    grids[3 * i] = 1;
                    grids[3 * i + 1] = pictures.get(i).gridH();
                    grids[3 * i + 2] = pictures.get(i).gridW();
                }
                writer.add("image_grid_thw", LongBuffer.wrap(grids), count, 3);
            }
        }
    }

    private long[] shape() {
        long[] one = pictures.get(0).shape();
        long rows = one[0];
        for (ImageFrontEnd.Pixels p : pictures.subList(1, pictures.size())) {
            if (preset.layout() == ImagePreset.Layout.MERGED) {
                rows += p.shape()[0];
            } else if (!Arrays.equals(one, p.shape())) {
                throw new UserError("pictures become " + Arrays.toString(one) + " and " + Arrays.toString(p.shape())
                        + ": give them one by one");
            }
        }
        return preset.layout() == ImagePreset.Layout.MERGED
                ? new long[] {rows, one[1]}
                : LongStream.concat(LongStream.of(pictures.size()), LongStream.of(one))
                        .toArray();
    }

    void describe(ObjectNode json) {
        ImageFrontEnd.Pixels p = pictures.get(0);
        json.put("pictures", pictures.size())
                .put("height", p.height())
                .put("width", p.width())
                .put("milliseconds", nanos / 1e6);
        var array = json.putArray("shape");
        LongStream.of(shape()).forEach(array::add);
    }

    Table table() {
        Table table = new Table("lllrr", "preset", "picture", "shape", "pixels", "ms");
        ImageFrontEnd.Pixels p = pictures.get(0);
        return table.row(
                preset.name(),
                pictures.size() == 1 ? sizes.get(0) : pictures.size() + " pictures",
                Arrays.toString(shape()),
                p.width() + "×" + p.height(),
                String.format(Locale.ROOT, "%.2f", nanos / 1e6));
    }
}
