package io.sensorium.text;

import ai.djl.huggingface.tokenizers.HuggingFaceTokenizer;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;

/**
 * A published tokenizer (BPE as CLIP's, WordPiece, Unigram), run by Hugging Face's own library. Nothing is downloaded: the
 * file must be there. Safe for concurrent use.
 */
public final class TextTokenizer implements AutoCloseable {
    /** Largest tokenizer.json that is read. */
    public static final long MAX_BYTES = 256L << 20;

    private final HuggingFaceTokenizer tokenizer;

    private TextTokenizer(HuggingFaceTokenizer tokenizer) {
        this.tokenizer = tokenizer;
    }

    /**
     * Reads a tokenizer.json. Truncation and padding that it asks for are not done: packing needs no padding, and a text
     * that is too long for a model is the model's error.
     *
     * @throws IOException when it is absent, over {@link #MAX_BYTES}, or no tokenizer
     */
    public static TextTokenizer open(Path file) throws IOException {
        if (!Files.isRegularFile(file)) {
            throw new NoSuchFileException(file.toString());
        }
        if (Files.size(file) > MAX_BYTES) {
            throw new IOException(
                    file.getFileName() + " has " + Files.size(file) + " bytes; the limit is " + MAX_BYTES);
        }
        try {
            return new TextTokenizer(HuggingFaceTokenizer.builder()
                    .optTokenizerPath(file)
                    .optTruncation(false)
                    .optPadding(false)
                    .build());
        } catch (RuntimeException e) {
            throw new IOException(file.getFileName() + ": no tokenizer: " + e.getMessage(), e);
        }
    }

    /** The ids of a text with the special tokens that the tokenizer puts around it; a direct buffer in native order. */
    public LongBuffer ids(String text) {
        long[] ids = tokenizer.encode(text, true, false).getIds();
        return ByteBuffer.allocateDirect(Math.multiplyExact(ids.length, Long.BYTES))
                .order(ByteOrder.nativeOrder())
                .asLongBuffer()
                .put(ids)
                .flip();
    }

    @Override
    public void close() {
        tokenizer.close();
    }
}
