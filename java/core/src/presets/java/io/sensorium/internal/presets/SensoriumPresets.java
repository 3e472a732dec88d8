package io.sensorium.internal.presets;

import org.bytedeco.javacpp.annotation.Platform;
import org.bytedeco.javacpp.annotation.Properties;
import org.bytedeco.javacpp.tools.Info;
import org.bytedeco.javacpp.tools.InfoMap;
import org.bytedeco.javacpp.tools.InfoMapper;

/**
 * What the JavaCPP parser must know to turn {@code sensorium.h} into {@code io.sensorium.internal.binding.Native}. Handles and
 * the addresses of the hot calls are longs: such a call allocates nothing and takes no lock.
 */
@Properties(
        value = @Platform(include = "sensorium.h", link = "sensorium", library = "jnisensorium"),
        target = "io.sensorium.internal.binding",
        global = "io.sensorium.internal.binding.Native")
public class SensoriumPresets implements InfoMapper {
    @Override
    public void map(InfoMap infoMap) {
        infoMap.put(new Info("SNS_API").cppTypes().annotations());
        for (String handle : new String[] {
            "engine",
            "builder",
            "model",
            "session",
            "log_mel",
            "resampler",
            "audio_stream",
            "codebook",
            "adapter",
            "index"
        }) {
            infoMap.put(new Info("sns_" + handle).cast().valueTypes("long").pointerTypes("LongPointer", "long[]"));
        }
        addresses(infoMap, "sns_session_run", "sns_session", "const sns_item*", "int64_t", "sns_result*");
        addresses(infoMap, "sns_session_start", "sns_session", "const sns_item*", "int64_t");
        addresses(infoMap, "sns_session_finish", "sns_session", "sns_result*");
        addresses(infoMap, "sns_session_poll", "sns_session", "int32_t*");
        addresses(infoMap, "sns_session_device_result", "sns_session", "sns_device_result*");
        addresses(infoMap, "sns_session_query", "sns_session", "sns_session_info*");
        addresses(infoMap, "sns_session_dlpack", "sns_session", "int32_t", "void**");
        addresses(infoMap, "sns_session_use_stream", "sns_session", "void*");
        addresses(infoMap, "sns_session_wait_event", "sns_session", "void*");
        addresses(infoMap, "sns_session_inbox", "sns_session", "int64_t", "void**");
        infoMap.put(new Info("sns_dlpack_delete")
                .javaText("public static native void sns_dlpack_delete(@Cast(\"void*\") long tensor);\n"));
        addresses(infoMap, "sns_session_set_sequence_latents", "sns_session", "const int64_t*", "int64_t");
        addresses(infoMap, "sns_session_attention", "sns_session", "int64_t", "float*", "int64_t");
        addresses(infoMap, "sns_log_mel_run", "sns_log_mel", "const void*", "int64_t", "int64_t", "float*", "int64_t");
        // Only the addresses of the pixels: the configuration is a structure.
        infoMap.put(new Info("sns_resize_run")
                .javaText("public static native int sns_resize_run(@Cast(\"sns_engine\") long engine,"
                        + " @Const sns_resize_config config, @Cast(\"const uint8_t*\") long pixels, @Cast(\"int64_t\") long bytes,"
                        + " @Cast(\"int64_t\") long height, @Cast(\"int64_t\") long width, @Cast(\"int64_t\") long channels,"
                        + " @Cast(\"uint8_t*\") long out, @Cast(\"int64_t\") long outBytes);\n"));
        infoMap.put(new Info("sns_yuv_to_rgb")
                .javaText(
                        "public static native int sns_yuv_to_rgb(@Cast(\"const uint8_t*\") long y, @Cast(\"int64_t\") long ldy,"
                                + " @Cast(\"const uint8_t*\") long u, @Cast(\"int64_t\") long ldu,"
                                + " @Cast(\"const uint8_t*\") long v, @Cast(\"int64_t\") long ldv,"
                                + " @Cast(\"int64_t\") long height, @Cast(\"int64_t\") long width, int matrix, int fullRange,"
                                + " @Cast(\"uint8_t*\") long out, @Cast(\"int64_t\") long outBytes);\n"));
        addresses(infoMap, "sns_resampler_run", "sns_resampler", "const float*", "int64_t", "float*", "int64_t");
        addresses(
                infoMap, "sns_audio_stream_push", "sns_audio_stream", "const void*", "int64_t", "int64_t", "int64_t*");
        addresses(infoMap, "sns_audio_stream_read", "sns_audio_stream", "float*", "int64_t", "int64_t*");
        addresses(infoMap, "sns_audio_stream_frames", "sns_audio_stream", "int64_t*");
        addresses(
                infoMap,
                "sns_adapter_create",
                "sns_engine",
                "const sns_adapter_config*",
                "const float*",
                "const float*",
                "const float*",
                "const float*",
                "sns_adapter*");
        addresses(
                infoMap,
                "sns_align_step",
                "sns_engine",
                "const sns_align_config*",
                "const sns_align_side*",
                "const sns_align_side*",
                "sns_align_result*");
        infoMap.put(new Info("sns_contrastive_logits")
                .javaText("public static native int sns_contrastive_logits(@Cast(\"sns_engine\") long engine,"
                        + " @Cast(\"const float*\") long a, @Cast(\"int64_t\") long n, @Cast(\"const float*\") long b,"
                        + " @Cast(\"int64_t\") long m, @Cast(\"int64_t\") long dim, float logitScale, float logitBias,"
                        + " @Cast(\"float*\") long out);\n"));
        addresses(
                infoMap,
                "sns_codebook_create",
                "sns_engine",
                "const sns_codebook_config*",
                "const float*",
                "sns_codebook*");
        addresses(
                infoMap,
                "sns_codebook_learn",
                "sns_engine",
                "const sns_codebook_config*",
                "const float*",
                "int64_t",
                "int64_t",
                "int64_t",
                "sns_codebook_learning*",
                "sns_codebook*");
        addresses(infoMap, "sns_codebook_codes", "sns_codebook", "float*", "int64_t");
        addresses(infoMap, "sns_codebook_encode", "sns_codebook", "const float*", "int64_t", "int64_t*");
        addresses(infoMap, "sns_codebook_decode", "sns_codebook", "const int64_t*", "int64_t", "float*");
        addresses(infoMap, "sns_index_create", "sns_engine", "const float*", "int64_t", "int64_t", "sns_index*");
        addresses(infoMap, "sns_index_search", "sns_index", "const float*", "int64_t", "int64_t", "int64_t*", "float*");
        addresses(
                infoMap,
                "sns_builder_tensor",
                "sns_builder",
                "const char*",
                "const float*",
                "int64_t",
                "int32_t",
                "const int64_t*");
        // The address of a direct buffer's element at its position.
        StringBuilder address = new StringBuilder("public static native int sns_abi_version();\n");
        for (String buffer : new String[] {"Byte", "Short", "Float", "Long"}) {
            address.append(
                            "@Namespace @Name(\"reinterpret_cast<jlong>\") public static native long address(@Cast(\"void*\") java.nio.")
                    .append(buffer)
                    .append("Buffer buffer);\n");
        }
        infoMap.put(new Info("sns_abi_version").javaText(address.toString()));
    }

    /** Binds a function so that every parameter is a long that is cast to its own type. */
    private static void addresses(InfoMap infoMap, String function, String... types) {
        StringBuilder text =
                new StringBuilder("public static native int ").append(function).append("(");
        for (int i = 0; i < types.length; i++) {
            text.append(i == 0 ? "" : ", ")
                    .append("@Cast(\"")
                    .append(types[i])
                    .append("\") long arg")
                    .append(i);
        }
        infoMap.put(new Info(function).javaText(text.append(");\n").toString()));
    }
}
