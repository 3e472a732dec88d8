package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import io.sensorium.ResizeConfig;
import io.sensorium.ResizeConfig.Filter;
import io.sensorium.ResizeConfig.Mode;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The image processors that are known by name, and preprocessor_config.json read over their defaults. */
public final class ImagePresets {
    private static final List<Float> HALF = List.of(0.5f, 0.5f, 0.5f);
    private static final List<Float> CLIP_MEAN = List.of(0.48145466f, 0.4578275f, 0.40821073f);
    private static final List<Float> CLIP_STD = List.of(0.26862954f, 0.26130258f, 0.27577711f);

    private static final Map<String, ImagePreset> ALL = all(
            pixels("vit", "ViTImageProcessor", ResizeConfig.squash(224, 224, Filter.BILINEAR), HALF, HALF),
            pixels(
                    "clip",
                    "CLIPImageProcessor",
                    ResizeConfig.builder()
                            .mode(Mode.SHORTEST_EDGE)
                            .filter(Filter.BICUBIC)
                            .height(224)
                            .cropH(224)
                            .cropW(224)
                            .build(),
                    CLIP_MEAN,
                    CLIP_STD),
            pixels("siglip", "SiglipImageProcessor", ResizeConfig.squash(224, 224, Filter.BICUBIC), HALF, HALF),
            new ImagePreset(
                    "siglip2-naflex",
                    "Siglip2ImageProcessor",
                    ResizeConfig.builder()
                            .mode(Mode.NAFLEX)
                            .filter(Filter.BILINEAR)
                            .factor(16)
                            .maxPatches(256)
                            .build(),
                    1 / 255.0,
                    HALF,
                    HALF,
                    ImagePreset.Layout.PATCHES,
                    16,
                    1,
                    1,
                    256,
                    false,
                    false),
            new ImagePreset(
                    "qwen2-vl",
                    "Qwen2VLImageProcessor",
                    ResizeConfig.builder()
                            .mode(Mode.SMART)
                            .filter(Filter.BICUBIC)
                            .factor(28)
                            .minPixels(56 * 56)
                            .maxPixels(28 * 28 * 1280)
                            .build(),
                    1 / 255.0,
                    CLIP_MEAN,
                    CLIP_STD,
                    ImagePreset.Layout.MERGED,
                    14,
                    2,
                    2,
                    0,
                    false,
                    false));

    private ImagePresets() {}

    private static ImagePreset pixels(
            String name, String processor, ResizeConfig resize, List<Float> mean, List<Float> std) {
        return new ImagePreset(
                name, processor, resize, 1 / 255.0, mean, std, ImagePreset.Layout.PIXELS, 0, 1, 1, 0, false, false);
    }

    private static Map<String, ImagePreset> all(ImagePreset... presets) {
        Map<String, ImagePreset> map = new LinkedHashMap<>();
        for (ImagePreset preset : presets) {
            map.put(preset.name(), preset);
        }
        return Collections.unmodifiableMap(map);
    }

    /** All presets by name. */
    public static Map<String, ImagePreset> all() {
        return ALL;
    }

    /** The preset of that name. */
    public static ImagePreset get(String name) {
        ImagePreset preset = ALL.get(name);
        if (preset == null) {
            throw new IllegalArgumentException("no image preset '" + name + "'; there are " + ALL.keySet());
        }
        return preset;
    }

    /**
     * {@link #configured(String, Parameters)} with a file's keys; its {@code image_processor_type} (or the older {@code
     * feature_extractor_type}) says whose defaults hold.
     *
     * @throws io.sensorium.InvalidWeightsException naming the key, also for processors that are not known
     */
    public static ImagePreset configured(JsonNode json) {
        Parameters parameters = Parameters.of(json);
        String name = named(parameters);
        if (name == null) {
            throw parameters
                    .node()
                    .bad(
                            "image_processor_type",
                            "one of "
                                    + String.join(
                                            ", ",
                                            ALL.values().stream()
                                                    .map(ImagePreset::reference)
                                                    .toList()));
        }
        return configured(name, parameters);
    }

    /** The preset of a preprocessor_config.json's {@code image_processor_type}, or null. */
    public static String named(Parameters parameters) {
        String type = parameters.text("image_processor_type");
        type = type.isEmpty() ? parameters.text("feature_extractor_type") : type;
        String known = type.replaceAll("(Fast|Pil)$", "").replace("FeatureExtractor", "ImageProcessor");
        for (ImagePreset preset : ALL.values()) {
            if (preset.reference().equals(known)) {
                return preset.name();
            }
        }
        return null;
    }

    /** {@link #configured(String, Parameters)} with a file's keys. */
    public static ImagePreset configured(String name, JsonNode json) {
        return configured(name, Parameters.of(json));
    }

    /**
     * A preset with what the parameters change, whatever type they name.
     *
     * @throws io.sensorium.InvalidWeightsException when a parameter asks for something that is not there
     * @throws io.sensorium.InvalidArgumentException naming a parameter that was set and is not known
     */
    public static ImagePreset configured(String name, Parameters parameters) {
        ImagePreset preset = get(name);
        ConfigNode config = parameters.node();
        boolean normalise = config.bool("do_normalize", true);
        boolean scaled = config.bool("do_rescale", true);
        double factor = config.number("rescale_factor", preset.rescale());
        if (!(factor > 0)) {
            throw config.bad("rescale_factor", "positive");
        }
        List<Float> mean = channels(config, "image_mean", preset.mean());
        List<Float> std = channels(config, "image_std", preset.std());
        for (float value : std) {
            if (!(value > 0)) {
                throw config.bad("image_std", "positive numbers");
            }
        }
        boolean merged = preset.layout() == ImagePreset.Layout.MERGED;
        boolean patched = preset.layout() == ImagePreset.Layout.PATCHES;
        ImagePreset out = new ImagePreset(
                preset.name(),
                preset.reference(),
                preset.resize(),
                scaled ? factor : 1,
                normalise ? mean : List.of(0f),
                normalise ? std : List.of(1f),
                preset.layout(),
                merged || patched ? atLeastOne(config, "patch_size", preset.patch()) : 0,
                merged ? atLeastOne(config, "merge_size", preset.merge()) : 1,
                merged ? atLeastOne(config, "temporal_patch_size", preset.temporal()) : 1,
                patched ? mostPatches(config, preset.maxPatches()) : 0,
                !scaled && !normalise,
                config.bool("exif_transpose", false));
        // Pictures come as three channels, which is what it asks for.
        config.bool("do_convert_rgb", true);
        out = out.with(resize(out, config));
        parameters.reject(config, name, false);
        return out;
    }

    private static int atLeastOne(ConfigNode config, String key, int absent) {
        int value = config.integer(key, absent);
        if (value < 1 || value > 1 << 12) {
            throw config.bad(key, "in [1, 4096]");
        }
        return value;
    }

    private static int mostPatches(ConfigNode config, int absent) {
        int value = config.integer("max_num_patches", absent);
        if (value < 1 || value > 1 << 20) {
            throw config.bad("max_num_patches", "in [1, 2^20]");
        }
        return value;
    }

    private static List<Float> channels(ConfigNode config, String key, List<Float> absent) {
        if (!config.has(key)) {
            return absent;
        }
        List<Float> values = new ArrayList<>();
        if (config.raw(key).isNumber()) {
            values.add((float) config.number(key, 0));
        } else {
            for (float value : config.floats(key, new float[0])) {
                values.add(value);
            }
        }
        if (values.isEmpty()) {
            throw config.bad(key, "a number or an array of numbers");
        }
        return values;
    }

    private static ResizeConfig resize(ImagePreset preset, ConfigNode config) {
        ResizeConfig.Builder out = preset.resize().toBuilder();
        int filter = config.integer("resample", preset.resize().filter().ordinal());
        if (filter < 0 || filter >= Filter.values().length) {
            throw config.bad("resample", "0 (nearest), 1 (Lanczos), 2 (bilinear), 3 (bicubic), 4 (box) or 5 (Hamming)");
        }
        out.filter(Filter.values()[filter]);
        switch (preset.layout()) {
            case PATCHES -> out.factor(preset.patch()).maxPatches(preset.maxPatches());
            case MERGED -> {
                ConfigNode size = config.objectOrEmpty("size");
                out.factor(preset.patch() * preset.merge())
                        .minPixels(pixels(
                                config,
                                size,
                                "min_pixels",
                                "shortest_edge",
                                preset.resize().minPixels()))
                        .maxPixels(pixels(
                                config,
                                size,
                                "max_pixels",
                                "longest_edge",
                                preset.resize().maxPixels()));
            }
            case PIXELS -> {
                size(preset, config, out);
                crop(preset, config, out);
            }
        }
        return config.bool("do_resize", true)
                ? out.build()
                : ResizeConfig.NONE.toBuilder()
                        .filter(Filter.values()[filter])
                        .cropH(out.build().cropH())
                        .cropW(out.build().cropW())
                        .build();
    }

    /** The older key wins, as in the reference. */
    private static int pixels(ConfigNode config, ConfigNode size, String older, String key, int absent) {
        return config.integer(older, size.integer(key, absent));
    }

    private static void size(ImagePreset preset, ConfigNode config, ResizeConfig.Builder out) {
        if (config.raw("size").isIntegralNumber()) { // older files: what it means is the processor's default
            int edge = config.integer("size");
            out.height(edge).width(preset.resize().mode() == Mode.SQUASH ? edge : 0);
            return;
        }
        ConfigNode size = config.objectOrEmpty("size");
        boolean squash = preset.resize().mode() == Mode.SQUASH;
        int shortest = size.integer("shortest_edge", 0);
        int longest = size.integer("longest_edge", 0);
        if (longest != 0 && shortest == 0 && preset.resize().mode() == Mode.SHORTEST_EDGE) {
            shortest = preset.resize().height();
        }
        int mostHigh = size.integer("max_height", 0);
        int mostWide = size.integer("max_width", 0);
        boolean sides = size.has("height") | size.has("width");
        int height = size.integer("height", squash ? preset.resize().height() : 0);
        int width = size.integer("width", squash ? preset.resize().width() : 0);
        size.rejectUnknown();
        if (shortest != 0 && longest != 0) {
            out.mode(Mode.SHORTEST_LONGEST).height(shortest).width(longest);
        } else if (shortest != 0) {
            out.mode(Mode.SHORTEST_EDGE).height(shortest).width(0);
        } else if (mostHigh != 0 && mostWide != 0) {
            out.mode(Mode.FIT).height(mostHigh).width(mostWide);
        } else if (sides && height != 0 && width != 0) {
            out.mode(Mode.SQUASH).height(height).width(width);
        } else if (config.has("size") && !(config.raw("size").isEmpty())) {
            throw config.bad(
                    "size",
                    "height and width, shortest_edge (with or without longest_edge), or max_height and max_width");
        }
    }

    private static void crop(ImagePreset preset, ConfigNode config, ResizeConfig.Builder out) {
        boolean cropped = config.bool("do_center_crop", preset.resize().cropH() > 0);
        int height = preset.resize().cropH();
        int width = preset.resize().cropW();
        if (config.raw("crop_size").isIntegralNumber()) {
            height = config.integer("crop_size");
            width = height;
        } else {
            ConfigNode crop = config.objectOrEmpty("crop_size");
            height = crop.integer("height", height);
            width = crop.integer("width", width);
        }
        if (!cropped) {
            out.cropH(0).cropW(0);
            return;
        }
        if (height < 1 || width < 1) {
            throw config.bad("crop_size", "given with do_center_crop");
        }
        out.cropH(height).cropW(width);
    }

    /** The preset brought to another square size. */
    static ImagePreset sized(ImagePreset preset, int height, int width) {
        ResizeConfig.Builder out = preset.resize().toBuilder();
        switch (preset.resize().mode()) {
            case SQUASH -> out.height(height).width(width);
            case SHORTEST_EDGE ->
                out.height(Math.min(height, width)).cropH(height).cropW(width);
            default -> {}
        }
        return preset.with(out.build());
    }
}
