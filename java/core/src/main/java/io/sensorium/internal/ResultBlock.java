package io.sensorium.internal;

import io.sensorium.internal.binding.sns_result;
import java.nio.ByteBuffer;

/** The {@code sns_result} that native code fills. All its fields are 8 bytes wide. */
public final class ResultBlock {
    /** Number of a field. */
    public static final int TOKENS_COUNT = 0,
            D_MODEL = 1,
            SEQUENCES = 2,
            LATENTS_COUNT = 3,
            D_LATENTS = 4,
            TOKENS = 5,
            MODALITY = 6,
            ITEM = 7,
            GRID = 8,
            SPAN = 9,
            POSITION = 10,
            CU_SEQLENS = 11,
            LATENTS = 12,
            CU_LATENTS = 13,
            D_EMBEDDING = 14,
            EMBEDDING = 15,
            IMAGE_NS = 16;

    private static final int FIELDS = 23;

    private final ByteBuffer bytes = Memory.allocate(FIELDS * Long.BYTES);
    private final long address = Memory.address(bytes);

    static {
        Layout.check(
                sns_result.class,
                FIELDS,
                "tokens",
                TOKENS,
                "position",
                POSITION,
                "latents",
                LATENTS,
                "cu_latents",
                CU_LATENTS,
                "embedding",
                EMBEDDING,
                "image_ns",
                IMAGE_NS);
    }

    /** Where native code writes. */
    public long address() {
        return address;
    }

    /** A field as a long. */
    public long get(int field) {
        return bytes.getLong(field * Long.BYTES);
    }
}
