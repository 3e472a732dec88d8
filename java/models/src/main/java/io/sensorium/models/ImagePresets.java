package io.sensorium.models;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
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
                    1),
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
                    2));

    private ImagePresets() {}

    private static ImagePreset pixels(
            String name, String processor, ResizeConfig resize, List<Float> mean, List<Float> std) {
        return new ImagePreset(name, processor, resize, 1 / 255.0, mean, std, ImagePreset.Layout.PIXELS, 0, 1, 1);
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
     * Reads a preprocessor_config.json; {@code image_processor_type} (or the older {@code feature_extractor_type}) says
     * whose defaults hold.
     *
     * @throws io.sensorium.InvalidWeightsException naming the key, also for processors that are not known
     */
    public static ImagePreset configured(JsonNode json) {
        ConfigNode config = new ConfigNode("preprocessor configuration", json);
        String type = config.text("image_processor_type", config.text("feature_extractor_type", ""));
        String known = type.replaceAll("(Fast|Pil)$", "").replace("FeatureExtractor", "ImageProcessor");
        for (ImagePreset preset : ALL.values()) {
            if (preset.reference().equals(known)) {
                return configured(preset.name(), json);
            }
        }
        throw config.bad(
                "image_processor_type",
                "one of "
                        + String.join(
                                ", ",
                                ALL.values().stream()
                                        .map(ImagePreset::reference)
                                        .toList()));
    }

    /** A preset with the values of a preprocessor_config.json, whatever type it names. */
    public static ImagePreset configured(String name, JsonNode json) {
        ImagePreset preset = get(name);
        ConfigNode config = new ConfigNode("preprocessor configuration", json);
        boolean normalise = config.bool("do_normalize", true);
        double rescale = config.bool("do_rescale", true) ? config.number("rescale_factor", preset.rescale()) : 1;
        if (!(rescale > 0)) {
            throw config.bad("rescale_factor", "positive");
        }
        List<Float> mean = normalise ? channels(config, "image_mean", preset.mean()) : List.of(0f);
        List<Float> std = normalise ? channels(config, "image_std", preset.std()) : List.of(1f);
        for (float value : std) {
            if (!(value > 0)) {
                throw config.bad("image_std", "positive numbers");
            }
        }
        preset = preset.with(rescale, mean, std);
        if (preset.layout() != ImagePreset.Layout.PIXELS) {
            int patch = atLeastOne(config, "patch_size", preset.patch());
            preset = preset.patches(
                    patch,
                    preset.layout() == ImagePreset.Layout.MERGED ? atLeastOne(config, "merge_size", 2) : 1,
                    preset.layout() == ImagePreset.Layout.MERGED ? atLeastOne(config, "temporal_patch_size", 2) : 1);
        }
        return preset.with(resize(preset, config));
    }

    private static int atLeastOne(ConfigNode config, String key, int absent) {
        int value = config.integer(key, absent);
        if (value < 1 || value > 1 << 12) {
            throw config.bad(key, "in [1, 4096]");
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
            throw config.bad("resample", "0 (nearest), 1 (Lanczos), 2 (bilinear) or 3 (bicubic)");
        }
        out.filter(Filter.values()[filter]);
        boolean resized = config.bool("do_resize", true);
        switch (preset.layout()) {
            case PATCHES -> out.factor(preset.patch()).maxPatches(config.integer("max_num_patches", 256));
            case MERGED -> {
                ConfigNode size = size(config, "size");
                out.factor(preset.patch() * preset.merge())
                        .minPixels(config.integer(
                                "min_pixels",
                                size.integer("shortest_edge", preset.resize().minPixels())))
                        .maxPixels(config.integer(
                                "max_pixels",
                                size.integer("longest_edge", preset.resize().maxPixels())));
            }
            case PIXELS -> {
                if (resized) {
                    size(preset, config, out);
                } else {
                    out.mode(Mode.NONE).height(0).width(0);
                }
                crop(preset, config, out);
                return out.build();
            }
        }
        if (!resized) {
            throw config.bad("do_resize", "true for " + preset.name());
        }
        return out.build();
    }

    private static void size(ImagePreset preset, ConfigNode config, ResizeConfig.Builder out) {
        if (!config.has("size")) {
            return;
        }
        JsonNode raw = config.raw("size");
        if (raw.isIntegralNumber()) { // older files: what it means is the processor's default
            int edge = config.integer("size");
            out.height(edge).width(preset.resize().mode() == Mode.SQUASH ? edge : 0);
            return;
        }
        ConfigNode size = config.object("size");
        if (size.has("height") && size.has("width")) {
            out.mode(Mode.SQUASH).height(size.integer("height")).width(size.integer("width"));
        } else if (size.has("shortest_edge") && !size.has("longest_edge")) {
            out.mode(Mode.SHORTEST_EDGE).height(size.integer("shortest_edge")).width(0);
        } else {
            throw config.bad("size", "height and width, or shortest_edge alone");
        }
    }

    private static void crop(ImagePreset preset, ConfigNode config, ResizeConfig.Builder out) {
        if (!config.bool("do_center_crop", preset.resize().cropH() > 0)) {
            out.cropH(0).cropW(0);
            return;
        }
        if (!config.has("crop_size")) {
            if (preset.resize().cropH() == 0) {
                throw config.bad("crop_size", "given with do_center_crop");
            }
            return;
        }
        if (config.raw("crop_size").isIntegralNumber()) {
            out.cropH(config.integer("crop_size")).cropW(config.integer("crop_size"));
            return;
        }
        ConfigNode crop = config.object("crop_size");
        out.cropH(crop.integer("height")).cropW(crop.integer("width"));
    }

    /** An object, or an empty one where the key is absent. */
    private static ConfigNode size(ConfigNode config, String key) {
        ObjectNode empty = new ObjectMapper().createObjectNode();
        return config.has(key) ? config.object(key) : new ConfigNode("preprocessor configuration." + key, empty);
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
