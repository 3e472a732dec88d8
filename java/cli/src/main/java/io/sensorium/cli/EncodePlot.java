package io.sensorium.cli;

import io.sensorium.LogMelConfig;
import io.sensorium.MelScale;
import io.sensorium.Modality;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.Shape;
import java.awt.geom.Line2D;
import java.awt.geom.RoundRectangle2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.Locale;

/** Draws one encode request: what went in, where the tokens lie on it, and the packed sequence that came out. */
final class EncodePlot extends Drawing {
    private static final int IMAGE_BAND = 470;
    private static final int AUDIO_BAND = 330;
    private static final int SEQUENCE_BAND = 330;
    private static final int ATTENTION_BAND = 400;
    private static final int SHOWN_LATENTS = 5;
    private static final int HEADER = 92;
    private static final int MAX_IMAGES = 4;
    private static final int MAX_AUDIOS = 3;
    private static final Color GRID = new Color(255, 255, 255, 120);

    private final Scene scene;
    private final int height;

    private EncodePlot(Scene scene, Graphics2D graphics, int height) {
        super(graphics);
        this.scene = scene;
        this.height = height;
    }

    /** Writes a PNG. */
    static void write(Scene scene, Path file) throws IOException {
        write(draw(scene), file);
    }

    static BufferedImage draw(Scene scene) {
        boolean top = !scene.images.isEmpty() || !scene.texts.isEmpty();
        int audios = Math.min(scene.audios.size(), MAX_AUDIOS);
        int height = HEADER
                + (top ? IMAGE_BAND : 0)
                + audios * AUDIO_BAND
                + SEQUENCE_BAND
                + 24
                + (scene.attention.limit() > 0 ? ATTENTION_BAND : 0);
        BufferedImage canvas = canvas(height);
        Graphics2D g = graphics(canvas);
        new EncodePlot(scene, g, height).run(top, audios);
        g.dispose();
        return canvas;
    }

    private void run(boolean top, int audios) {
        g.setColor(BACKGROUND);
        g.fillRect(0, 0, WIDTH, height);
        header();
        int y = HEADER;
        if (top) {
            topBand(y);
            y += IMAGE_BAND;
        }
        for (int i = 0; i < audios; i++) {
            audio(scene.audios.get(i), y);
            y += AUDIO_BAND;
        }
        sequence(y);
        if (scene.attention.limit() > 0) {
            attention(y + SEQUENCE_BAND);
        }
    }

    private void header() {
        text(scene.title, MARGIN, 44, font(Font.BOLD, 24), INK);
        text(scene.notice, MARGIN, 70, font(Font.PLAIN, 14), FAINT);
        String[] names = {"image", "audio", "text"};
        double x = WIDTH - MARGIN;
        for (int m = 2; m >= 0; m--) {
            x -= width(names[m], font(Font.PLAIN, 14));
            text(names[m], x, 44, font(Font.PLAIN, 14), INK);
            x -= 20;
            g.setColor(MODALITY[m]);
            g.fill(new RoundRectangle2D.Double(x, 32, 13, 13, 4, 4));
            x -= 22;
        }
    }

    /** Pictures from the left, text to the right of them. */
    private void topBand(int y) {
        int images = Math.min(scene.images.size(), MAX_IMAGES);
        double space = WIDTH - 2.0 * MARGIN - 20;
        double textWidth = scene.texts.isEmpty() ? 0 : images == 0 ? space : Math.max(300, space * 0.42);
        double cell = images == 0 ? 0 : (space - textWidth) / images - (images - 1) * 10.0 / images;
        double x = MARGIN;
        for (int i = 0; i < images; i++) {
            x += image(scene.images.get(i), x, y, Math.min(cell, 860), IMAGE_BAND - 20) + 14;
        }
        if (!scene.texts.isEmpty()) {
            texts(images == 0 ? MARGIN : x + 6, y, WIDTH - MARGIN - (images == 0 ? MARGIN : x + 6), IMAGE_BAND - 20);
        } else if (images > 0 && WIDTH - MARGIN - x > 260) {
            legendCard(x + 6, y, WIDTH - MARGIN - x - 6, IMAGE_BAND - 20);
        }
    }

    private double image(Scene.Image item, double x, double y, double maxWidth, double bandHeight) {
        int w = item.picture().width();
        int h = item.picture().height();
        double scale = Math.min((maxWidth - 2) / w, (bandHeight - 40) / h);
        double dw = w * scale;
        double dh = h * scale;
        BufferedImage pixels = new BufferedImage(w, h, BufferedImage.TYPE_INT_RGB);
        int[] row = new int[w];
        for (int py = 0; py < h; py++) {
            for (int px = 0; px < w; px++) {
                int at = (py * w + px) * 3;
                row[px] = (item.picture().pixels().get(at) & 255) << 16
                        | (item.picture().pixels().get(at + 1) & 255) << 8
                        | item.picture().pixels().get(at + 2) & 255;
            }
            pixels.setRGB(0, py, w, 1, row, 0, w);
        }
        caption("image", item.name() + "  " + w + "×" + h + " px", item.tokens() + " tokens", x, y + 14, dw, 0);
        double top = y + 28;
        Shape clip = g.getClip();
        g.clip(new RoundRectangle2D.Double(x, top, dw, dh, 10, 10));
        g.drawImage(pixels, (int) x, (int) top, (int) Math.ceil(dw), (int) Math.ceil(dh), null);
        int rows = h < item.patchH() ? 0 : (h - item.patchH()) / item.strideH() + 1;
        int columns = w < item.patchW() ? 0 : (w - item.patchW()) / item.strideW() + 1;
        double bottomEdge = rows == 0 ? 0 : (rows - 1) * item.strideH() + item.patchH();
        double rightEdge = columns == 0 ? 0 : (columns - 1) * item.strideW() + item.patchW();
        // What no patch covers is dimmed.
        g.setColor(new Color(15, 18, 24, 170));
        g.fill(new java.awt.geom.Rectangle2D.Double(x + rightEdge * scale, top, dw, dh));
        g.fill(new java.awt.geom.Rectangle2D.Double(x, top + bottomEdge * scale, rightEdge * scale, dh));
        g.setColor(GRID);
        g.setStroke(new BasicStroke(0.7f));
        for (int r = 0; r <= rows && rows > 0; r++) {
            double at = top + (r == rows ? bottomEdge : r * (double) item.strideH()) * scale;
            g.draw(new Line2D.Double(x, at, x + rightEdge * scale, at));
        }
        for (int c = 0; c <= columns && columns > 0; c++) {
            double at = x + (c == columns ? rightEdge : c * (double) item.strideW()) * scale;
            g.draw(new Line2D.Double(at, top, at, top + bottomEdge * scale));
        }
        // The first patch in the modality's colour shows how large a token is.
        if (rows > 0 && columns > 0) {
            g.setColor(MODALITY[0]);
            g.setStroke(new BasicStroke(2.4f));
            g.draw(new java.awt.geom.Rectangle2D.Double(
                    x + 1.2, top + 1.2, item.patchW() * scale - 1.2, item.patchH() * scale - 1.2));
        }
        g.setClip(clip);
        return dw;
    }

    private void texts(double x, double y, double w, double bandHeight) {
        int tokens = scene.texts.stream().mapToInt(Scene.Text::tokens).sum();
        caption("text", "UTF-8 bytes", tokens + " tokens", x, y + 14, w, 2);
        card(x, y + 28, w, bandHeight - 40);
        Font big = font(Font.PLAIN, 22);
        double left = x + 22;
        double right = x + w - 22;
        double bottom = y + bandHeight - 34;
        double cy = y + 66;
        for (Scene.Text item : scene.texts) {
            if (cy > bottom) {
                break;
            }
            cy = wrapped("“" + item.text() + "”", left, cy, right, Math.min(bottom, cy + 84), big);
            // Each text may fill its share of what is left.
            double share = cy + (bottom - cy) / (scene.texts.size() - scene.texts.indexOf(item));
            cy = chips(item.text().getBytes(StandardCharsets.UTF_8), left, cy, right, share) + 34;
        }
    }

    /** One box a byte: the character where it is one, and its id. */
    private double chips(byte[] bytes, double left, double y, double right, double bottom) {
        double scale = 2;
        while (scale > 1
                && Math.ceil(bytes.length / Math.floor((right - left + 4) / (35 * scale + 4))) * (42 * scale + 4)
                        > bottom - y) {
            scale -= 0.125;
        }
        Font large = new Font(Font.MONOSPACED, Font.BOLD, (int) (17 * scale));
        Font small = font(Font.PLAIN, (int) (10 * scale));
        double w = 35 * scale;
        double h = 42 * scale;
        double pitch = w + 4;
        int perRow = Math.max(1, (int) ((right - left + 4) / pitch));
        int rows = (int) ((bottom - y + 4) / (h + 4));
        int shown = Math.max(0, Math.min(bytes.length, rows * perRow));
        for (int i = 0; i < shown; i++) {
            double x = left + i % perRow * pitch;
            double top = y + i / perRow * (h + 4);
            if (i == shown - 1 && shown < bytes.length) {
                text("+" + (bytes.length - shown + 1), x + 4, top + 26 * scale, small, FAINT);
                break;
            }
            RoundRectangle2D box = new RoundRectangle2D.Double(x, top, w, h, 8, 8);
            g.setColor(new Color(0xAE, 0xD5, 0x81, 30));
            g.fill(box);
            g.setColor(new Color(0xAE, 0xD5, 0x81, 110));
            g.setStroke(new BasicStroke(0.8f));
            g.draw(box);
            int value = bytes[i] & 255;
            String label = value > 32 && value < 127 ? String.valueOf((char) value) : value == 32 ? "␣" : "·";
            text(label, x + w / 2 - width(label, large) / 2, top + 21 * scale, large, INK);
            String id = String.valueOf(value);
            text(id, x + w / 2 - width(id, small) / 2, top + 35 * scale, small, FAINT);
        }
        return y + (shown + perRow - 1) / perRow * (h + 4);
    }

    private void legendCard(double x, double y, double w, double bandHeight) {
        card(x, y + 28, w, bandHeight - 40);
        double cy = y + 70;
        for (Scene.Image item : scene.images) {
            cy = wrapped(
                    item.name() + ": patches of " + item.patchW() + "×" + item.patchH() + " px, " + item.tokens()
                            + " tokens",
                    x + 22,
                    cy,
                    x + w - 22,
                    y + bandHeight - 30,
                    font(Font.PLAIN, 16));
        }
    }

    private void audio(Scene.Audio item, double y) {
        double x = MARGIN + 62;
        double w = WIDTH - 2.0 * MARGIN - 62 - 96;
        double top = y + 28;
        double h = AUDIO_BAND - 108;
        double seconds = Math.max(item.durationMicros(), 1) / 1e6;
        caption(
                "audio",
                item.name() + "  "
                        + String.format(
                                Locale.ROOT,
                                "%.2f s at %d Hz",
                                seconds,
                                item.logMel().sampleRate()),
                item.tokens() + " tokens",
                MARGIN + 62,
                y + 14,
                w,
                1);
        float low = Float.POSITIVE_INFINITY;
        float high = Float.NEGATIVE_INFINITY;
        int mels = item.logMel().nMels();
        for (int i = 0; i < item.frames() * mels; i++) {
            low = Math.min(low, item.features().get(i));
            high = Math.max(high, item.features().get(i));
        }
        double hopSeconds = item.logMel().hop() / (double) item.logMel().sampleRate();
        double first = item.centreMicros() / 1e6;
        BufferedImage spectrogram = new BufferedImage((int) w, (int) h, BufferedImage.TYPE_INT_RGB);
        for (int px = 0; px < (int) w; px++) {
            double from = (px / w * seconds - first) / hopSeconds + 0.5;
            double to = ((px + 1) / w * seconds - first) / hopSeconds + 0.5;
            for (int py = 0; py < (int) h; py++) {
                int m = Math.min(mels - 1, (int) ((1 - (py + 0.5) / h) * mels));
                double value = mean(item, m, mels, from, to);
                spectrogram.setRGB(px, py, ColorMap.MAGMA.rgb((value - low) / Math.max(1e-12, high - low)));
            }
        }
        Shape clip = g.getClip();
        g.clip(new RoundRectangle2D.Double(x, top, (int) w, (int) h, 8, 8));
        g.drawImage(spectrogram, (int) x, (int) top, null);
        g.setClip(clip);
        tokenTicks(item, x, top + h + 3, w, seconds);
        timeAxis(x, top + h + 17, w, seconds);
        melAxis(item.logMel(), x, top, h);
        colourBar(item.logMel(), x + w + 20, top, h, low, high);
    }

    private static double mean(Scene.Audio item, int m, int mels, double from, double to) {
        int a = Math.max(0, Math.min(item.frames() - 1, (int) Math.floor(from)));
        int b = Math.max(a, Math.min(item.frames() - 1, (int) Math.ceil(to) - 1));
        double sum = 0;
        for (int f = a; f <= b; f++) {
            sum += item.features().get(f * mels + m);
        }
        return sum / (b - a + 1);
    }

    /** A rail of tokens under the spectrogram; single borders where they can be told apart, else alternating bands. */
    private void tokenTicks(Scene.Audio item, double x, double y, double w, double seconds) {
        long[] borders = item.boundaryMicros();
        g.setColor(new Color(0xFF, 0xB7, 0x4D, 70));
        g.fill(new java.awt.geom.Rectangle2D.Double(x, y, w, 8));
        g.setColor(MODALITY[1]);
        double pitch = w / Math.max(1, borders.length);
        int step = 1;
        while (pitch * step < 2) {
            step *= 2;
        }
        g.setStroke(new BasicStroke((float) Math.min(1, pitch * step / 2.6)));
        for (int i = 0; i < borders.length; i += step) {
            double at = x + borders[i] / 1e6 / seconds * w;
            if (at >= x && at <= x + w) {
                g.draw(new Line2D.Double(at, y, at, y + 8));
            }
        }
        String label = "tokens";
        text(label, x - 12 - width(label, font(Font.PLAIN, 12)), y + 9, font(Font.PLAIN, 12), MODALITY[1]);
    }

    private void timeAxis(double x, double y, double w, double seconds) {
        double step = niceStep(seconds / 10);
        Font font = font(Font.PLAIN, 13);
        g.setStroke(new BasicStroke(1));
        for (int i = 0; i * step <= seconds + 1e-9; i++) {
            double at = x + i * step / seconds * w;
            g.setColor(FAINT);
            g.draw(new Line2D.Double(at, y, at, y + 5));
            String label = trim(i * step);
            text(label, at - width(label, font) / 2, y + 20, font, FAINT);
        }
        String unit = "time [s]";
        text(unit, x + w / 2 - width(unit, font) / 2, y + 40, font, INK);
    }

    private void melAxis(LogMelConfig config, double x, double y, double h) {
        Font font = font(Font.PLAIN, 13);
        double high = config.fMax() == 0 ? config.sampleRate() / 2.0 : config.fMax();
        double low = mel(config.melScale(), config.fMin());
        double span = mel(config.melScale(), high) - low;
        double last = Double.POSITIVE_INFINITY;
        for (double hz : new double[] {250, 500, 1000, 2000, 4000, 8000, 16000, 24000}) {
            double at = y + h - (mel(config.melScale(), hz) - low) / span * h;
            if (hz < config.fMin() || hz > high || last - at < 16) {
                continue;
            }
            last = at;
            g.setColor(FAINT);
            g.draw(new Line2D.Double(x - 6, at, x - 1, at));
            String label = hz < 1000 ? String.valueOf((int) hz) : trim(hz / 1000) + "k";
            text(label, x - 10 - width(label, font), at + 4.5, font, FAINT);
        }
        vertical("mel frequency [Hz]", x - 48, y + h / 2);
    }

    private void colourBar(LogMelConfig config, double x, double y, double h, float low, float high) {
        Shape clip = g.getClip();
        g.clip(new RoundRectangle2D.Double(x, y, 14, h, 6, 6));
        for (int i = 0; i < h; i++) {
            g.setColor(ColorMap.MAGMA.color(1 - i / h));
            g.fillRect((int) x, (int) y + i, 14, 1);
        }
        g.setClip(clip);
        Font font = font(Font.PLAIN, 12);
        for (int i = 0; i <= 4; i++) {
            String label = String.format(Locale.ROOT, "%.1f", low + (high - low) * i / 4.0);
            text(label, x + 20, y + h - h * i / 4 + (i == 4 ? 10 : i == 0 ? 0 : 4), font, FAINT);
        }
        String unit = switch (config.log()) {
            case LN -> "ln mel";
            case LOG10 -> "log₁₀ mel";
            case DECIBEL -> "mel [dB]";
            case NONE -> "mel";
        };
        if (config.outScale() != 1 || config.outShift() != 0) {
            unit += ", scaled";
        }
        vertical(unit, x + 66, y + h / 2);
    }

    private void sequence(double y) {
        double x = MARGIN + 62;
        double w = WIDTH - 2.0 * MARGIN - 62;
        boolean latents = scene.latentRows > 0;
        double latentWidth = latents ? Math.min(260, w * 0.2) : 0;
        double tokenWidth = w - (latents ? latentWidth + 70 : 0);
        int n = scene.modalities.length;
        caption(
                "packed sequence",
                n + " tokens × " + scene.dim,
                "one column a token, colour = value (±2.5 rms)",
                x,
                y + 14,
                tokenWidth,
                -1);
        double top = y + 28;
        double rail = 20;
        railOf(x, top, tokenWidth, rail);
        heat(scene.tokens, n, scene.dim, x, top + rail + 4, tokenWidth, SEQUENCE_BAND - 120);
        double bottom = top + rail + 4 + SEQUENCE_BAND - 120;
        Font font = font(Font.PLAIN, 13);
        double step = niceStep(Math.max(1, n / 10.0));
        g.setStroke(new BasicStroke(1));
        for (int i = 0; i * step <= n && n > 0; i++) {
            double at = x + i * step / n * tokenWidth;
            g.setColor(FAINT);
            g.draw(new Line2D.Double(at, bottom + 3, at, bottom + 8));
            String label = trim(i * step);
            text(label, at - width(label, font) / 2, bottom + 23, font, FAINT);
        }
        String unit = "token";
        text(unit, x + tokenWidth / 2 - width(unit, font) / 2, bottom + 43, font, INK);
        vertical("channel", x - 16, (top + rail + bottom) / 2);
        if (latents) {
            double lx = x + tokenWidth + 70;
            // An arrow: the sequence is compressed to the latents.
            double ay = (top + rail + bottom) / 2;
            g.setColor(FAINT);
            g.setStroke(new BasicStroke(2, BasicStroke.CAP_ROUND, BasicStroke.JOIN_ROUND));
            g.draw(new Line2D.Double(lx - 50, ay, lx - 20, ay));
            g.draw(new Line2D.Double(lx - 28, ay - 7, lx - 20, ay));
            g.draw(new Line2D.Double(lx - 28, ay + 7, lx - 20, ay));
            caption("latents", scene.latentRows + " × " + scene.latentDim, "", lx, y + 14, latentWidth, -1);
            heat(
                    scene.latents,
                    scene.latentRows,
                    scene.latentDim,
                    lx,
                    top + rail + 4,
                    latentWidth,
                    SEQUENCE_BAND - 120);
            text("latent", lx + latentWidth / 2 - width("latent", font) / 2, bottom + 43, font, INK);
        }
    }

    /** What a few latents took from the first picture's patches and from the first sound, one card a latent. */
    private void attention(double y) {
        double x = MARGIN;
        double w = WIDTH - 2.0 * MARGIN;
        caption(
                "what latents read",
                "weights of the patches and of the sound, the " + Math.min(SHOWN_LATENTS, scene.latentRows)
                        + " most selective latents",
                "grey = none, bright = that latent's most",
                x,
                y + 14,
                w,
                -1);
        int[] chosen = selective();
        double pitch = (w + 16) / SHOWN_LATENTS;
        for (int i = 0; i < chosen.length; i++) {
            latent(chosen[i], x + i * pitch, y + 28, pitch - 16, ATTENTION_BAND - 44);
        }
    }

    /** Latents with the largest sum of squared weights for the weight they gave, in their own order. */
    private int[] selective() {
        int n = scene.modalities.length;
        double[] score = new double[scene.latentRows];
        for (int l = 0; l < score.length; l++) {
            double sum = 0;
            for (int t = 0; t < n; t++) {
                double weight = scene.attention.get(l * n + t);
                score[l] += weight * weight;
                sum += weight;
            }
            score[l] /= Math.max(1e-12, sum * sum);
        }
        return java.util.stream.IntStream.range(0, score.length)
                .boxed()
                .sorted(java.util.Comparator.comparingDouble((Integer l) -> -score[l]))
                .limit(SHOWN_LATENTS)
                .mapToInt(Integer::intValue)
                .sorted()
                .toArray();
    }

    private void latent(int latent, double x, double y, double w, double h) {
        card(x, y, w, h);
        int n = scene.modalities.length;
        double[] share = new double[3];
        double total = 0;
        for (int t = 0; t < n; t++) {
            share[scene.modalities[t].ordinal()] += scene.attention.get(latent * n + t);
            total += scene.attention.get(latent * n + t);
        }
        text("latent " + latent, x + 14, y + 24, font(Font.BOLD, 15), INK);
        StringBuilder words = new StringBuilder();
        String[] names = {"image", "audio", "text"};
        for (int m = 0; m < 3; m++) {
            if (share[m] > 0) {
                words.append(words.length() == 0 ? "" : " · ")
                        .append(names[m])
                        .append(String.format(Locale.ROOT, " %.0f %%", 100 * share[m] / Math.max(1e-12, total)));
            }
        }
        String shares = words.toString();
        text(shares, x + 14, y + 43, font(Font.PLAIN, 13), FAINT);
        int image = first(Modality.IMAGE);
        int audio = first(Modality.AUDIO);
        double strip = 46;
        double left = x + 14;
        double top = y + 54;
        double space = h - 68;
        if (image >= 0) {
            patchWeights(latent, image, left, top, w - 28, space - (audio >= 0 ? strip + 26 : 0));
        }
        if (audio >= 0) {
            double height = image >= 0 ? strip : Math.min(150, space - 20);
            soundWeights(latent, audio, left, y + h - 30 - height, w - 28, height);
        }
    }

    /** The item that is first of a modality, or -1. */
    private int first(Modality modality) {
        for (int t = 0; t < scene.modalities.length; t++) {
            if (scene.modalities[t] == modality && scene.grid[2 * t + 1] >= 0) {
                return scene.items[t];
            }
        }
        return -1;
    }

    private double most(int latent, int item) {
        int n = scene.modalities.length;
        double most = 1e-30;
        for (int t = 0; t < n; t++) {
            if (scene.items[t] == item && scene.grid[2 * t + 1] >= 0) {
                most = Math.max(most, scene.attention.get(latent * n + t));
            }
        }
        return most;
    }

    private void patchWeights(int latent, int item, double x, double y, double w, double h) {
        int n = scene.modalities.length;
        int rows = 0;
        int columns = 0;
        for (int t = 0; t < n; t++) {
            if (scene.items[t] == item) {
                rows = Math.max(rows, scene.grid[2 * t] + 1);
                columns = Math.max(columns, scene.grid[2 * t + 1] + 1);
            }
        }
        double cell = Math.min(w / columns, h / rows);
        double most = most(latent, item);
        double[] weights = new double[rows * columns];
        for (int t = 0; t < n; t++) {
            if (scene.items[t] == item && scene.grid[2 * t] >= 0) {
                weights[scene.grid[2 * t] * columns + scene.grid[2 * t + 1]] =
                        scene.attention.get(latent * n + t) / most;
            }
        }
        BufferedImage picture = new BufferedImage(
                Math.max(1, (int) (cell * columns)), Math.max(1, (int) (cell * rows)), BufferedImage.TYPE_INT_RGB);
        Scene.Image seen = scene.images.get(0);
        for (int py = 0; py < picture.getHeight(); py++) {
            int row = (int) Math.min(rows - 1, py / cell);
            for (int px = 0; px < picture.getWidth(); px++) {
                int column = (int) Math.min(columns - 1, px / cell);
                double light = luma(seen, py / cell * seen.strideH(), px / cell * seen.strideW());
                picture.setRGB(px, py, lit(weights[row * columns + column], light));
            }
        }
        double left = x + (w - picture.getWidth()) / 2;
        double top = y + (h - picture.getHeight()) / 2;
        Shape clip = g.getClip();
        g.clip(new RoundRectangle2D.Double(left, top, picture.getWidth(), picture.getHeight(), 8, 8));
        g.drawImage(picture, (int) left, (int) top, null);
        g.setClip(clip);
    }

    /** A weight's colour with the picture shining through; where nothing is read the picture is dim and grey. */
    private static int lit(double weight, double light) {
        int colour = ColorMap.MAGMA.rgb(weight);
        int rgb = 0;
        for (int shift = 0; shift <= 16; shift += 8) {
            double value = (colour >> shift & 255) * (0.7 + 0.3 * light) + 70 * light * (1 - weight);
            rgb |= (int) Math.min(255, value) << shift;
        }
        return rgb;
    }

    /** Brightness of a pixel, 0 to 1 (ITU-R BT.601). */
    private static double luma(Scene.Image image, double y, double x) {
        int row = (int) Math.min(image.picture().height() - 1, y);
        int column = (int) Math.min(image.picture().width() - 1, x);
        int at = (row * image.picture().width() + column) * 3;
        return (0.299 * (image.picture().pixels().get(at) & 255)
                        + 0.587 * (image.picture().pixels().get(at + 1) & 255)
                        + 0.114 * (image.picture().pixels().get(at + 2) & 255))
                / 255;
    }

    /** Weight over time: a pixel has the mean of the tokens whose spans it lies in. */
    private void soundWeights(int latent, int item, double x, double y, double w, double h) {
        int n = scene.modalities.length;
        long end = 1;
        for (int t = 0; t < n; t++) {
            if (scene.items[t] == item) {
                end = Math.max(end, scene.spans[2 * t + 1]);
            }
        }
        double[] sum = new double[(int) w];
        int[] count = new int[(int) w];
        for (int t = 0; t < n; t++) {
            if (scene.items[t] != item || scene.grid[2 * t + 1] < 0) {
                continue;
            }
            int from = (int) Math.min(sum.length - 1, scene.spans[2 * t] * w / end);
            int to = (int) Math.min(sum.length - 1, Math.max(from, scene.spans[2 * t + 1] * w / end - 1e-9));
            for (int px = from; px <= to; px++) {
                sum[px] += scene.attention.get(latent * n + t);
                count[px]++;
            }
        }
        double most = 1e-30;
        for (int px = 0; px < sum.length; px++) {
            sum[px] /= Math.max(1, count[px]);
            most = Math.max(most, sum[px]);
        }
        g.setColor(EDGE);
        g.fill(new java.awt.geom.Rectangle2D.Double(x, y + h, sum.length, 1));
        g.setColor(MODALITY[1]);
        for (int px = 0; px < sum.length; px++) {
            double bar = sum[px] / most * h;
            g.fill(new java.awt.geom.Rectangle2D.Double(x + px, y + h - bar, 1, bar));
        }
        Font font = font(Font.PLAIN, 12);
        String last = String.format(Locale.ROOT, "%.1f s", end / 1e6);
        text("0", x, y + h + 16, font, FAINT);
        text(last, x + sum.length - width(last, font), y + h + 16, font, FAINT);
    }

    /** Which modality each token has, with the number of tokens where it fits. */
    private void railOf(double x, double y, double w, double h) {
        int n = scene.modalities.length;
        Font font = font(Font.BOLD, 12);
        int from = 0;
        while (from < n) {
            int to = from;
            while (to < n && scene.items[to] == scene.items[from]) {
                to++;
            }
            Modality modality = scene.modalities[from];
            double left = x + from * w / n;
            double width = (to - from) * w / n;
            g.setColor(MODALITY[modality.ordinal()]);
            g.fill(new RoundRectangle2D.Double(left, y, Math.max(1.5, width - 1.5), h, 6, 6));
            String label = modality.name().toLowerCase(Locale.ROOT) + "  " + (to - from);
            if (width(label, font) + 12 > width) {
                label = String.valueOf(to - from);
            }
            if (width(label, font) + 6 < width) {
                text(label, left + width / 2 - width(label, font) / 2, y + 14.5, font, BACKGROUND);
            }
            from = to;
        }
    }

    /** [count, dim] with one column per row of the matrix; colours reach ±2.5 root mean squares. */
    private void heat(FloatBuffer values, int count, int dim, double x, double y, double w, double h) {
        if (count == 0) {
            return;
        }
        double square = 0;
        for (int i = 0; i < count * dim; i++) {
            square += values.get(i) * (double) values.get(i);
        }
        double reach = 2.5 * Math.sqrt(square / Math.max(1, count * dim)) + 1e-12;
        BufferedImage image = new BufferedImage((int) w, (int) h, BufferedImage.TYPE_INT_RGB);
        for (int px = 0; px < (int) w; px++) {
            int t = Math.min(count - 1, (int) ((px + 0.5) / w * count));
            for (int py = 0; py < (int) h; py++) {
                int c = Math.min(dim - 1, (int) ((py + 0.5) / h * dim));
                double value = values.get(t * dim + c);
                image.setRGB(px, py, ColorMap.DIVERGING.rgb(0.5 + value / (2 * reach)));
            }
        }
        Shape clip = g.getClip();
        g.clip(new RoundRectangle2D.Double(x, y, (int) w, (int) h, 8, 8));
        g.drawImage(image, (int) x, (int) y, null);
        g.setClip(clip);
    }

    private void caption(String kind, String name, String right, double x, double y, double w, int modality) {
        Font bold = font(Font.BOLD, 15);
        Font plain = font(Font.PLAIN, 15);
        text(kind, x, y, bold, modality < 0 ? INK : MODALITY[modality]);
        double rightWidth = width(right, plain);
        double left = x + width(kind, bold) + 12;
        String shown = name;
        while (shown.length() > 4 && left + width(shown, plain) > x + w - rightWidth - 12) {
            shown = shown.substring(0, shown.length() - 2) + "…";
        }
        text(shown, left, y, plain, INK);
        text(right, x + w - rightWidth, y, plain, FAINT);
    }

    private double wrapped(String words, double x, double y, double right, double bottom, Font font) {
        StringBuilder line = new StringBuilder();
        for (String word : words.split("(?<=\\s)")) {
            if (line.length() > 0 && x + width(line + word.stripTrailing(), font) > right) {
                boolean last = y + 28 > bottom;
                text(last ? line.toString().stripTrailing() + " …" : line.toString(), x, y, font, INK);
                if (last) {
                    return y + 28;
                }
                line.setLength(0);
                y += 28;
            }
            line.append(word);
        }
        while (line.length() > 4 && x + width(line.toString(), font) > right) {
            line.setLength(line.length() - 2);
            line.append('…');
        }
        text(line.toString(), x, y, font, INK);
        return y + 28;
    }

    private void vertical(String label, double x, double y) {
        Font font = font(Font.PLAIN, 13);
        Graphics2D turned = (Graphics2D) g.create();
        turned.rotate(-Math.PI / 2, x, y);
        turned.setFont(font);
        turned.setColor(INK);
        turned.drawString(label, (float) (x - width(label, font) / 2), (float) y);
        turned.dispose();
    }

    private static double mel(MelScale scale, double hz) {
        return switch (scale) {
            case HTK -> 2595 * Math.log10(1 + hz / 700);
            case KALDI -> 1127 * Math.log(1 + hz / 700);
            case SLANEY -> hz < 1000 ? hz * 3 / 200 : 15 + 27 * Math.log(hz / 1000) / Math.log(6.4);
        };
    }
}
