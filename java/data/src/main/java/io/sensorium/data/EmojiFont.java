package io.sensorium.data;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/**
 * The pictures of a colour font with bitmaps (CBDT/CBLC), found by characters: single ones through cmap, sequences through
 * the ligatures of GSUB. Every offset is checked by the buffer that it is read from.
 *
 * <p>Source: OpenType 1.9, tables cmap, GSUB, CBLC and CBDT.
 */
final class EmojiFont {
    private static final long MAX_BYTES = 64 << 20;
    private static final int JOINER = 0x200D;

    private record Bitmap(int at, int format) {}

    private final Map<String, ByteBuffer> tables = new HashMap<>();
    private final Map<Integer, Integer> glyphs = new HashMap<>();
    private final Map<List<Integer>, Integer> ligatures = new HashMap<>();
    private final Map<Integer, Bitmap> bitmaps = new HashMap<>();

    private EmojiFont(ByteBuffer file) {
        int count = unsigned(file, 4);
        for (int i = 0; i < count; i++) {
            int at = 12 + 16 * i;
            byte[] tag = new byte[4];
            file.get(at, tag);
            int offset = file.getInt(at + 8);
            tables.put(
                    new String(tag, java.nio.charset.StandardCharsets.ISO_8859_1),
                    file.slice(offset, file.getInt(at + 12)));
        }
        readCmap(table("cmap"));
        readLigatures(table("GSUB"));
        readBitmaps(table("CBLC"));
    }

    static EmojiFont read(Path file) throws IOException {
        if (Files.size(file) > MAX_BYTES) {
            throw new DataException(file.getFileName() + " is larger than " + MAX_BYTES + " bytes");
        }
        try {
            return new EmojiFont(ByteBuffer.wrap(Files.readAllBytes(file)));
        } catch (IndexOutOfBoundsException e) {
            throw new DataException(file.getFileName() + " is no whole font", e);
        }
    }

    /** The PNG of the largest strike for these characters, if the font draws them as one picture. */
    Optional<byte[]> png(String characters) {
        int[] points = characters.codePoints().toArray();
        List<Integer> sequence = new ArrayList<>();
        for (int point : points) {
            Integer glyph = glyphs.get(point);
            if (glyph == null) {
                return Optional.empty();
            }
            sequence.add(glyph);
        }
        Integer glyph = sequence.size() == 1 ? sequence.get(0) : ligatures.get(sequence);
        Bitmap bitmap = glyph == null || points[0] == JOINER ? null : bitmaps.get(glyph);
        return bitmap == null ? Optional.empty() : Optional.of(png(bitmap));
    }

    private byte[] png(Bitmap bitmap) {
        ByteBuffer data = table("CBDT");
        int metrics = switch (bitmap.format()) {
            case 17 -> 5;
            case 18 -> 8;
            case 19 -> 0;
            default -> throw new DataException("bitmaps of format " + bitmap.format() + " are no PNG");
        };
        int length = data.getInt(bitmap.at() + metrics);
        if (length < 0 || length > data.capacity()) {
            throw new DataException("a bitmap of " + length + " bytes");
        }
        byte[] bytes = new byte[length];
        data.get(bitmap.at() + metrics + 4, bytes);
        return bytes;
    }

    private void readCmap(ByteBuffer cmap) {
        for (int i = 0; i < unsigned(cmap, 2); i++) {
            int at = cmap.getInt(8 + 8 * i);
            if (unsigned(cmap, at) != 12) {
                continue;
            }
            int groups = cmap.getInt(at + 12);
            for (int g = 0; g < groups; g++) {
                int from = cmap.getInt(at + 16 + 12 * g);
                int to = cmap.getInt(at + 20 + 12 * g);
                int glyph = cmap.getInt(at + 24 + 12 * g);
                if (from < 0 || to > Character.MAX_CODE_POINT) {
                    throw new DataException("cmap names no characters");
                }
                for (int point = from; point <= to; point++) {
                    glyphs.put(point, glyph + point - from);
                }
            }
        }
    }

    /** All ligature substitutions, whatever feature uses them: the font has no others. */
    private void readLigatures(ByteBuffer gsub) {
        int lookups = unsigned(gsub, 8);
        for (int i = 0; i < unsigned(gsub, lookups); i++) {
            int lookup = lookups + unsigned(gsub, lookups + 2 + 2 * i);
            int type = unsigned(gsub, lookup);
            for (int s = 0; s < unsigned(gsub, lookup + 4); s++) {
                int subtable = lookup + unsigned(gsub, lookup + 6 + 2 * s);
                int kind = type;
                if (type == 7) {
                    kind = unsigned(gsub, subtable + 2);
                    subtable += gsub.getInt(subtable + 4);
                }
                if (kind == 4) {
                    readLigatures(gsub, subtable);
                }
            }
        }
    }

    private void readLigatures(ByteBuffer gsub, int subtable) {
        List<Integer> firsts = coverage(gsub, subtable + unsigned(gsub, subtable + 2));
        int sets = unsigned(gsub, subtable + 4);
        for (int i = 0; i < Math.min(sets, firsts.size()); i++) {
            int set = subtable + unsigned(gsub, subtable + 6 + 2 * i);
            for (int l = 0; l < unsigned(gsub, set); l++) {
                int ligature = set + unsigned(gsub, set + 2 + 2 * l);
                List<Integer> sequence = new ArrayList<>();
                sequence.add(firsts.get(i));
                for (int c = 0; c < unsigned(gsub, ligature + 2) - 1; c++) {
                    sequence.add(unsigned(gsub, ligature + 4 + 2 * c));
                }
                ligatures.putIfAbsent(sequence, unsigned(gsub, ligature));
            }
        }
    }

    private static List<Integer> coverage(ByteBuffer gsub, int at) {
        List<Integer> covered = new ArrayList<>();
        int count = unsigned(gsub, at + 2);
        for (int i = 0; i < count; i++) {
            if (unsigned(gsub, at) == 1) {
                covered.add(unsigned(gsub, at + 4 + 2 * i));
            } else {
                for (int g = unsigned(gsub, at + 4 + 6 * i); g <= unsigned(gsub, at + 6 + 6 * i); g++) {
                    covered.add(g);
                }
            }
        }
        return covered;
    }

    private void readBitmaps(ByteBuffer cblc) {
        int strikes = cblc.getInt(4);
        int best = -1;
        for (int i = 0; i < strikes; i++) {
            int at = 8 + 48 * i;
            int pixels = cblc.get(at + 44) & 0xFF;
            if (pixels > best) {
                best = pixels;
                bitmaps.clear();
                readStrike(cblc, cblc.getInt(at), cblc.getInt(at + 8));
            }
        }
    }

    private void readStrike(ByteBuffer cblc, int array, int count) {
        for (int i = 0; i < count; i++) {
            int first = unsigned(cblc, array + 8 * i);
            int last = unsigned(cblc, array + 8 * i + 2);
            int sub = array + cblc.getInt(array + 8 * i + 4);
            int indexFormat = unsigned(cblc, sub);
            int imageFormat = unsigned(cblc, sub + 2);
            int data = cblc.getInt(sub + 4);
            for (int g = first; g <= last; g++) {
                int k = g - first;
                int from = switch (indexFormat) {
                    case 1 -> cblc.getInt(sub + 8 + 4 * k);
                    case 3 -> unsigned(cblc, sub + 8 + 2 * k);
                    default -> throw new DataException("bitmap index of format " + indexFormat);
                };
                int to = indexFormat == 1 ? cblc.getInt(sub + 12 + 4 * k) : unsigned(cblc, sub + 10 + 2 * k);
                if (to > from) {
                    bitmaps.put(g, new Bitmap(data + from, imageFormat));
                }
            }
        }
    }

    private ByteBuffer table(String tag) {
        ByteBuffer table = tables.get(tag);
        if (table == null) {
            throw new DataException("the font has no table " + tag);
        }
        return table;
    }

    private static int unsigned(ByteBuffer buffer, int at) {
        return Short.toUnsignedInt(buffer.getShort(at));
    }
}
