package io.sensorium;

import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/**
 * One id space for the vocabularies of several modalities, so that a language model can read and write them all: by
 * default the text's ids, then the image codes, then the audio codes. With residual stages each stage has ids of its own,
 * so that the position inside a token need not be known: id = start + stage · size + code.
 *
 * <p>Immutable. {@code CodeSpace.builder().add(TEXT, 32000).add(IMAGE, imageCodes).add(AUDIO, audioCodes).build()}.
 */
public final class CodeSpace {
    /**
     * The ids of one modality.
     *
     * @param start first id
     * @param stages ids of a token
     * @param size codes of a stage
     */
    public record Range(Modality modality, long start, int stages, int size) {
        /** One past the last id. */
        public long end() {
            return start + (long) stages * size;
        }
    }

    private final List<Range> ranges;

    private CodeSpace(List<Range> ranges) {
        this.ranges = List.copyOf(ranges);
    }

    /** A space without ids; ranges follow each other in the order they are added. */
    public static Builder builder() {
        return new Builder();
    }

    /** Text, then image, then audio codes. */
    public static CodeSpace of(int textVocabulary, CodebookConfig image, CodebookConfig audio) {
        return builder()
                .add(Modality.TEXT, textVocabulary)
                .add(Modality.IMAGE, image)
                .add(Modality.AUDIO, audio)
                .build();
    }

    /** All ranges in the order of their ids. */
    public List<Range> ranges() {
        return ranges;
    }

    /** Number of ids: they run from 0 to one below. */
    public long size() {
        return ranges.isEmpty() ? 0 : ranges.get(ranges.size() - 1).end();
    }

    /** The ids of a modality. Throws {@link IllegalArgumentException} if it has none. */
    public Range range(Modality modality) {
        for (Range range : ranges) {
            if (range.modality() == modality) {
                return range;
            }
        }
        throw new IllegalArgumentException("this space has no ids of " + modality);
    }

    /** Whose id it is. Throws {@link OutOfRangeException} if it is nobody's. */
    public Modality modality(long id) {
        return rangeOf(id).modality();
    }

    /**
     * The id of a code.
     *
     * @param stage 0, or which stage of a residual codebook
     */
    public long id(Modality modality, int stage, long code) {
        Range range = range(modality);
        if (stage < 0 || stage >= range.stages()) {
            throw outOfRange("stage " + stage + " of " + modality, range.stages());
        }
        if (code < 0 || code >= range.size()) {
            throw outOfRange("code " + code + " of " + modality, range.size());
        }
        return range.start() + (long) stage * range.size() + code;
    }

    /** The code that an id stands for. */
    public long code(long id) {
        Range range = rangeOf(id);
        return (id - range.start()) % range.size();
    }

    /** The stage that an id belongs to. */
    public int stage(long id) {
        Range range = rangeOf(id);
        return (int) ((id - range.start()) / range.size());
    }

    /** Replaces the codes [tokens, stages] of a modality from position to limit by their ids. */
    public void toIds(Modality modality, LongBuffer codes) {
        int stages = wholeTokens(modality, codes);
        for (int i = codes.position(); i < codes.limit(); i++) {
            codes.put(i, id(modality, (i - codes.position()) % stages, codes.get(i)));
        }
    }

    /**
     * Undoes {@link #toIds}.
     *
     * @throws OutOfRangeException if an id is not this modality's, or of another stage than its place says; the buffer is
     *     then unchanged from there on
     */
    public void toCodes(Modality modality, LongBuffer ids) {
        int stages = wholeTokens(modality, ids);
        Range range = range(modality);
        for (int i = ids.position(); i < ids.limit(); i++) {
            long start = range.start() + (long) ((i - ids.position()) % stages) * range.size();
            long id = ids.get(i);
            if (id < start || id >= start + range.size()) {
                throw outOfRange(
                        "id " + id + ", of stage " + (i - ids.position()) % stages + " of " + modality + " from "
                                + start,
                        start + range.size());
            }
            ids.put(i, id - start);
        }
    }

    private int wholeTokens(Modality modality, LongBuffer values) {
        int stages = range(modality).stages();
        if (values.remaining() % stages != 0) {
            throw new IllegalArgumentException(values.remaining() + " values are no whole tokens of " + stages);
        }
        return stages;
    }

    private Range rangeOf(long id) {
        for (Range range : ranges) {
            if (id >= range.start() && id < range.end()) {
                return range;
            }
        }
        throw outOfRange("id " + id, size());
    }

    private static OutOfRangeException outOfRange(String what, long limit) {
        return new OutOfRangeException(what + " is outside, the limit is " + limit, "id", limit, null);
    }

    /** Collects ranges. */
    public static final class Builder {
        private final List<Range> ranges = new ArrayList<>();

        private Builder() {}

        /** Adds a plain vocabulary. */
        public Builder add(Modality modality, int vocabulary) {
            return add(modality, 1, vocabulary);
        }

        /** Adds a codebook's codes, all stages. */
        public Builder add(Modality modality, CodebookConfig codebook) {
            return add(modality, codebook.stages(), codebook.size());
        }

        private Builder add(Modality modality, int stages, int size) {
            Objects.requireNonNull(modality, "modality");
            if (stages < 1 || size < 1) {
                throw new IllegalArgumentException(modality + " has " + stages + " × " + size + " codes");
            }
            if (ranges.stream().anyMatch(range -> range.modality() == modality)) {
                throw new IllegalArgumentException(modality + " has ids already");
            }
            long start = ranges.isEmpty() ? 0 : ranges.get(ranges.size() - 1).end();
            ranges.add(new Range(modality, start, stages, size));
            return this;
        }

        /** The space. */
        public CodeSpace build() {
            return new CodeSpace(ranges);
        }
    }
}
