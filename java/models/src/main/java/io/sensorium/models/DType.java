package io.sensorium.models;

/** Element types of the safetensors format. */
public enum DType {
    BOOL(1),
    U8(1),
    I8(1),
    F8_E4M3(1),
    F8_E5M2(1),
    U16(2),
    I16(2),
    F16(2),
    BF16(2),
    U32(4),
    I32(4),
    F32(4),
    U64(8),
    I64(8),
    F64(8);

    private final int bytes;

    DType(int bytes) {
        this.bytes = bytes;
    }

    /** Size of one element. */
    public int bytes() {
        return bytes;
    }

    /** True for the types that weights may have: they convert to float32 by rounding or exactly. */
    public boolean isFloating() {
        return this == F16 || this == BF16 || this == F32 || this == F64;
    }
}
