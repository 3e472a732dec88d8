package io.sensorium.cli;

import io.sensorium.Result;
import io.sensorium.Tokens;
import io.sensorium.models.SafetensorsWriter;
import io.sensorium.video.VideoWindow;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.Buffer;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.nio.MappedByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/** Collects the tensors of all windows in temporary files beside the output: a long video does not fit into memory. */
final class VideoTensors implements AutoCloseable {
    private final Path out;
    private final Spool tokens;
    private final Spool modality;
    private final Spool item;
    private final Spool grid;
    private final Spool span;
    private final Spool position;
    private final Spool cuSeqlens;
    private final Spool latents;
    private final Spool cuLatents;
    private long count;
    private long latentCount;
    private long sequences;
    private int dim;
    private int latentDim;

    VideoTensors(Path out) throws IOException {
        this.out = out;
        tokens = new Spool();
        modality = new Spool();
        item = new Spool();
        grid = new Spool();
        span = new Spool();
        position = new Spool();
        cuSeqlens = new Spool();
        latents = new Spool();
        cuLatents = new Spool();
        cuSeqlens.add(0);
        cuLatents.add(0);
    }

    void add(VideoWindow window) {
        Result result = window.result();
        Tokens t = result.tokens();
        tokens.add(t.values());
        modality.add(t.modalities());
        item.add(t.items());
        grid.add(t.grid());
        span.add(t.spans());
        position.add(t.positions());
        count += t.count();
        dim = t.dim();
        sequences++;
        cuSeqlens.add(count);
        if (result.hasLatents()) {
            latents.add(result.latents().values());
            latentCount += result.latents().count();
            latentDim = result.latents().dim();
            cuLatents.add(latentCount);
        }
    }

    void write(SafetensorsWriter writer) throws IOException {
        writer.add("tokens", tokens.map().asFloatBuffer(), count, dim);
        writer.add("modality", modality.map().asIntBuffer(), count);
        writer.add("item", item.map().asIntBuffer(), count);
        writer.add("grid", grid.map().asIntBuffer(), count, 2);
        writer.add("span_us", span.map().asLongBuffer(), count, 2);
        writer.add("position", position.map().asIntBuffer(), count, 3);
        writer.add("cu_seqlens", cuSeqlens.map().asLongBuffer(), sequences + 1);
        if (latentCount > 0) {
            writer.add("latents", latents.map().asFloatBuffer(), latentCount, latentDim);
            writer.add("cu_latents", cuLatents.map().asLongBuffer(), sequences + 1);
        }
        writer.write(out);
    }

    @Override
    public void close() {
        for (Spool spool : new Spool[] {tokens, modality, item, grid, span, position, cuSeqlens, latents, cuLatents}) {
            spool.close();
        }
    }

    private final class Spool {
        private final FileChannel channel;
        private final ByteBuffer block = ByteBuffer.allocateDirect(1 << 16).order(ByteOrder.nativeOrder());

        Spool() throws IOException {
            Path folder = out.toAbsolutePath().getParent();
            channel = FileChannel.open(
                    Files.createTempFile(folder, ".video-", ".tmp"),
                    StandardOpenOption.READ,
                    StandardOpenOption.WRITE,
                    StandardOpenOption.DELETE_ON_CLOSE);
        }

        void add(long value) {
            block.clear().putLong(value);
            flush();
        }

        void add(Buffer data) {
            int width = data instanceof LongBuffer ? Long.BYTES : Integer.BYTES;
            for (int at = 0; at < data.limit(); ) {
                int n = Math.min(data.limit() - at, block.capacity() / width);
                block.clear();
                if (data instanceof FloatBuffer floats) {
                    block.asFloatBuffer().put(floats.slice(at, n));
                } else if (data instanceof IntBuffer ints) {
                    block.asIntBuffer().put(ints.slice(at, n));
                } else {
                    block.asLongBuffer().put(((LongBuffer) data).slice(at, n));
                }
                block.position(n * width);
                flush();
                at += n;
            }
        }

        private void flush() {
            block.flip();
            try {
                while (block.hasRemaining()) {
                    channel.write(block);
                }
            } catch (IOException e) {
                throw new UncheckedIOException("cannot write beside " + out + ": " + e.getMessage(), e);
            }
        }

        ByteBuffer map() throws IOException {
            long size = channel.size();
            if (size > Integer.MAX_VALUE) {
                throw new UserError("the video gives " + size + " bytes of tokens, more than a tensor of this command"
                        + " holds (2 GiB): use fewer frames (--fps) or smaller ones (--max-side)");
            }
            MappedByteBuffer bytes = channel.map(FileChannel.MapMode.READ_ONLY, 0, size);
            return bytes.order(ByteOrder.nativeOrder());
        }

        void close() {
            try {
                channel.close();
            } catch (IOException e) {
                throw new UncheckedIOException(e);
            }
        }
    }
}
