package io.sensorium.search;

import io.sensorium.Modality;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Base64;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** A page of search results with pictures and players. It holds all its files and runs no script. */
public final class ResultPage {
    private static final long MAX_BYTES = 8L << 20;

    private static final String STYLE = """
            :root { color-scheme: light dark; }
            body { font: 16px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
            h1 { font-size: 1.3rem; font-weight: 600; }
            h2 { font-size: 1rem; font-weight: 600; margin: 2rem 0 .5rem; color: #778; }
            ol { list-style: none; padding: 0; display: grid; gap: .75rem;
                 grid-template-columns: repeat(auto-fill, minmax(11rem, 1fr)); }
            li { border: 1px solid #8884; border-radius: .5rem; padding: .6rem; overflow-wrap: anywhere; }
            li img { width: 100%; height: 8rem; object-fit: contain; background: #fff; border-radius: .25rem; }
            .query img { height: 8rem; background: #fff; border-radius: .25rem; }
            audio { width: 100%; height: 2.2rem; }
            .score { float: right; color: #778; font-variant-numeric: tabular-nums; }
            .source { color: #778; font-size: .8rem; }
            """;

    /**
     * What was searched by.
     *
     * @param what the file of a picture or sound, or the words
     */
    public record Query(Modality modality, String what) {}

    private ResultPage() {}

    /** Writes the page. A picture or sound that cannot be read any more is named instead. */
    public static void write(Path file, Query query, Map<Modality, List<SearchIndex.Hit>> hits) throws IOException {
        StringBuilder page = new StringBuilder("<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n")
                .append("<meta name=\"viewport\" content=\"width=device-width\">\n")
                .append("<title>Sensorium search</title>\n<style>\n")
                .append(STYLE)
                .append("</style>\n<h1>Nearest to ")
                .append(
                        switch (query.modality()) {
                            case IMAGE -> "this picture";
                            case AUDIO -> "this sound";
                            case TEXT -> "“" + escape(query.what()) + "”";
                        })
                .append("</h1>\n");
        if (query.modality() != Modality.TEXT) {
            page.append("<p class=\"query\">")
                    .append(view(query.modality(), query.what()))
                    .append("</p>\n");
        }
        hits.forEach((modality, list) -> {
            if (list.isEmpty()) {
                return;
            }
            page.append("<h2>")
                    .append(
                            switch (modality) {
                                case IMAGE -> "Pictures";
                                case AUDIO -> "Sounds";
                                case TEXT -> "Texts";
                            })
                    .append("</h2>\n<ol>\n");
            for (SearchIndex.Hit hit : list) {
                page.append("<li>")
                        .append(view(modality, hit.entry().what()))
                        .append("<div><span class=\"score\">")
                        .append(String.format(Locale.ROOT, "%.3f", hit.score()))
                        .append("</span>")
                        .append(
                                modality == Modality.TEXT
                                        ? ""
                                        : escape(hit.entry().concept()))
                        .append("</div>");
                if (modality == Modality.AUDIO) {
                    page.append("<div class=\"source\">")
                            .append(escape(hit.entry().source()))
                            .append("</div>");
                }
                page.append("</li>\n");
            }
            page.append("</ol>\n");
        });
        Files.writeString(file, page.append("</html>\n"), StandardCharsets.UTF_8);
    }

    private static String view(Modality modality, String what) {
        if (modality == Modality.TEXT) {
            return escape(what);
        }
        try {
            Path file = Path.of(what);
            if (Files.size(file) > MAX_BYTES) {
                return escape(what);
            }
            String bytes = Base64.getEncoder().encodeToString(Files.readAllBytes(file));
            if (modality == Modality.AUDIO) {
                return "<audio controls src=\"data:audio/wav;base64," + bytes + "\"></audio>";
            }
            // A browser looks at the bytes, not at this type, when it draws a picture.
            return "<img alt=\"\" src=\"data:image/png;base64," + bytes + "\">";
        } catch (IOException e) {
            return escape(what);
        }
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
