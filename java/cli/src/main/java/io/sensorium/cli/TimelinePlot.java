package io.sensorium.cli;

import io.sensorium.Modality;
import io.sensorium.video.MediaWarning;
import io.sensorium.video.SyncReport;
import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.Shape;
import java.awt.geom.Line2D;
import java.awt.geom.Path2D;
import java.awt.geom.Rectangle2D;
import java.awt.geom.RoundRectangle2D;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;

/** Draws a video on its clock: frames, sound, gaps, and how tokens of both follow each other. */
final class TimelinePlot extends Drawing {
    private static final int HEIGHT = 1010;
    private static final int SHOWN_FRAMES = 8;
    private static final Color BROKEN = new Color(0xFF5370);
    private static final double LEFT = MARGIN + 84;
    private static final double RIGHT = WIDTH - MARGIN;

    private final TimelineScene scene;
    private final SyncReport report;
    private final double end;

    private TimelinePlot(TimelineScene scene, SyncReport report, Graphics2D graphics) {
        super(graphics);
        this.scene = scene;
        this.report = report;
        this.end = Math.max(1, Math.max(report.videoEnd(), report.audioEnd()));
    }

    static void write(TimelineScene scene, SyncReport report, String title, Path file) throws IOException {
        BufferedImage canvas = canvas(HEIGHT);
        Graphics2D g = graphics(canvas);
        g.setColor(BACKGROUND);
        g.fillRect(0, 0, WIDTH, HEIGHT);
        new TimelinePlot(scene, report, g).run(title);
        g.dispose();
        write(canvas, file);
    }

    private void run(String title) {
        text(title, MARGIN, 44, font(Font.BOLD, 24), INK);
        text(scene.name + "   " + scene.described, MARGIN, 70, font(Font.PLAIN, 14), FAINT);
        cards(92);
        frames(190);
        rail(438);
        sound(478);
        axis(642);
        zoom(700);
    }

    private double x(double micros) {
        return LEFT + Math.max(0, micros) / end * (RIGHT - LEFT);
    }

    private static String millis(double micros) {
        return String.format(Locale.ROOT, "%+.2f ms", micros / 1e3);
    }

    private void cards(double y) {
        boolean both = report.audioStart() != -1 && report.frames() > 0 && scene.hears;
        String[][] facts = {
            {"offset", both ? millis(report.offset()) : "–", "sound starts after picture"},
            {"drift", both ? String.format(Locale.ROOT, "%+.1f ppm", report.driftPpm()) : "–", "times against samples"},
            {
                "frame ↔ sound",
                report.frameToAudio() < 0 ? "–" : String.format(Locale.ROOT, "%.2f ms", report.frameToAudio() / 1e3),
                "farthest frame from its token"
            },
            {
                "frame rate",
                report.frameInterval() == 0
                        ? "–"
                        : String.format(Locale.ROOT, "%.2f fps", 1e6 / report.frameInterval()),
                report.variableRate() ? "variable" : "constant"
            },
            {"dropped", String.valueOf(report.droppedFrames()), "frames that would have fitted"},
            {
                "gaps",
                String.valueOf(report.audioGaps()),
                String.format(Locale.ROOT, "%.1f ms of silence put in", report.silence() / 1e3)
            },
            {
                "tokens",
                String.valueOf(report.tokens()),
                report.latents() + " latents, " + report.windows()
                        + (report.windows() == 1 ? " sequence" : " sequences")
            },
        };
        double w = (RIGHT - MARGIN + 12) / facts.length;
        for (int i = 0; i < facts.length; i++) {
            double x = MARGIN + i * w;
            card(x, y, w - 12, 76);
            boolean alarm = (facts[i][0].equals("dropped") || facts[i][0].equals("gaps")) && !facts[i][1].equals("0");
            text(facts[i][0], x + 14, y + 21, font(Font.PLAIN, 13), FAINT);
            text(facts[i][1], x + 14, y + 46, font(Font.BOLD, 20), alarm ? BROKEN : INK);
            text(facts[i][2], x + 14, y + 65, font(Font.PLAIN, 11), FAINT);
        }
    }

    /** Thumbnails side by side, each tied to its time on the rail below. */
    private void frames(double y) {
        label("frames", y + 80, 0);
        int shown = Math.min(SHOWN_FRAMES, scene.thumbnails.size());
        if (shown == 0) {
            text("no pictures", LEFT, y + 80, font(Font.PLAIN, 15), FAINT);
            return;
        }
        double slot = (RIGHT - LEFT) / shown;
        double h = 150;
        for (int i = 0; i < shown; i++) {
            int index = shown == 1 ? 0 : i * (scene.thumbnails.size() - 1) / (shown - 1);
            TimelineScene.Thumbnail frame = scene.thumbnails.get(index);
            BufferedImage image = frame.image();
            double scale = Math.min(Math.min((slot - 12) / image.getWidth(), h / image.getHeight()), 2);
            double w = image.getWidth() * scale;
            double ih = image.getHeight() * scale;
            double left = Math.min(RIGHT - w, LEFT + i * slot + (slot - w) / 2);
            double top = y + h - ih;
            Shape clip = g.getClip();
            g.clip(new RoundRectangle2D.Double(left, top, w, ih, 10, 10));
            g.drawImage(image, (int) left, (int) top, (int) Math.ceil(w) + 1, (int) Math.ceil(ih) + 1, null);
            g.setClip(clip);
            g.setColor(EDGE);
            g.setStroke(new BasicStroke(1));
            g.draw(new RoundRectangle2D.Double(left, top, w, ih, 10, 10));
            String time = String.format(Locale.ROOT, "%.3f s", frame.micros() / 1e6);
            Font font = font(Font.PLAIN, 12);
            double middle = left + w / 2;
            text(time, middle - width(time, font) / 2, y + h + 18, font, INK);
            g.setColor(new Color(0x4F, 0xC3, 0xF7, 150));
            g.setStroke(new BasicStroke(1.2f));
            Path2D path = new Path2D.Double();
            double at = x(frame.micros());
            path.moveTo(middle, y + h + 26);
            path.curveTo(middle, y + h + 62, at, y + h + 52, at, y + h + 86);
            g.draw(path);
        }
    }

    /** Every decoded frame as a tick; longer pauses are marked. */
    private void rail(double y) {
        label("decoded", y + 14, 0);
        g.setColor(CARD);
        g.fill(new RoundRectangle2D.Double(LEFT, y, RIGHT - LEFT, 22, 6, 6));
        long usual = scene.tickCount > 1 ? report.frameInterval() * stride() : 0;
        for (int i = 1; i < scene.tickCount; i++) {
            long from = scene.ticks[i - 1];
            long to = scene.ticks[i];
            if (2 * (to - from) > 3 * usual && usual > 0) {
                g.setColor(new Color(0xFF, 0x53, 0x70, 110));
                g.fill(new Rectangle2D.Double(x(from + usual), y, Math.max(2, x(to) - x(from + usual)), 22));
            }
        }
        boolean dense = scene.tickCount > (RIGHT - LEFT) / 3;
        g.setColor(new Color(0x4F, 0xC3, 0xF7, dense ? 60 : 200));
        g.setStroke(new BasicStroke(1.1f));
        for (int i = 0; i < scene.tickCount; i++) {
            double at = x(scene.ticks[i]);
            g.draw(new Line2D.Double(at, y + 4, at, y + 18));
        }
        g.setColor(INK);
        for (TimelineScene.Thumbnail frame : scene.thumbnails) {
            g.fill(new RoundRectangle2D.Double(x(frame.micros()) - 2, y + 1, 4, 20, 4, 4));
        }
    }

    /** Frames between two ticks. */
    private long stride() {
        return Math.max(1, Math.round((double) report.frames() / scene.tickCount));
    }

    private void sound(double y) {
        double h = 150;
        label("sound", y + 82, 1);
        g.setColor(CARD);
        g.fill(new RoundRectangle2D.Double(LEFT, y, RIGHT - LEFT, h, 10, 10));
        if (!scene.hears || report.audioStart() == -1 && report.audioEnd() == -1) {
            text("no sound", LEFT + 16, y + 82, font(Font.PLAIN, 15), FAINT);
            return;
        }
        double middle = y + h / 2;
        double loudest = 1e-6;
        for (float peak : scene.peaks) {
            loudest = Math.max(loudest, peak);
        }
        g.setColor(MODALITY[1]);
        for (double px = LEFT; px < RIGHT; px++) {
            double from = (px - LEFT) / (RIGHT - LEFT) * end / scene.binMicros;
            double to = (px + 1 - LEFT) / (RIGHT - LEFT) * end / scene.binMicros;
            double peak = 0;
            for (int b = (int) from; b <= (int) Math.max(from, to - 1e-9) && b < scene.peaks.length; b++) {
                peak = Math.max(peak, scene.peaks[b]);
            }
            double half = Math.max(0.5, peak / loudest * (h / 2 - 8));
            g.fill(new Rectangle2D.Double(px, middle - half, 1, 2 * half));
        }
        g.setColor(new Color(15, 18, 24, 190));
        double start = x(report.audioStart());
        g.fill(new Rectangle2D.Double(LEFT, y, start - LEFT, h));
        double stop = x(report.audioEnd());
        g.fill(new Rectangle2D.Double(stop, y, RIGHT - stop, h));
        for (MediaWarning warning : report.warnings()) {
            if (warning.kind() != MediaWarning.Kind.GAP) {
                continue;
            }
            double left = x(warning.micros() - warning.length());
            double w = Math.max(3, x(warning.micros()) - left);
            g.setColor(new Color(0xFF, 0x53, 0x70, 70));
            g.fill(new Rectangle2D.Double(left, y, w, h));
            g.setColor(BROKEN);
            g.setStroke(new BasicStroke(1.4f));
            g.draw(new Rectangle2D.Double(left, y, w, h));
            text("gap", left + 4, y + 14, font(Font.BOLD, 11), BROKEN);
        }
    }

    private void axis(double y) {
        double seconds = end / 1e6;
        double step = niceStep(seconds / 12);
        Font font = font(Font.PLAIN, 12);
        g.setStroke(new BasicStroke(1));
        for (double t = 0; t <= seconds + 1e-9; t += step) {
            double at = x(t * 1e6);
            g.setColor(EDGE);
            g.draw(new Line2D.Double(at, y - 8, at, y - 2));
            String label = trim(t) + " s";
            text(label, Math.min(at - width(label, font) / 2, RIGHT - width(label, font)), y + 12, font, FAINT);
        }
    }

    /** The first tokens of the first sequence: where they lie in time, and in which order they stand. */
    private void zoom(double y) {
        card(MARGIN, y, WIDTH - 2.0 * MARGIN, 270);
        List<TimelineScene.Token> tokens = scene.first;
        if (tokens.isEmpty()) {
            return;
        }
        double from =
                tokens.stream().mapToLong(TimelineScene.Token::start).min().orElse(0);
        // About three frames, or so little that single tokens of sound can be told apart.
        long[] images = tokens.stream()
                .filter(t -> t.modality() == Modality.IMAGE)
                .mapToLong(TimelineScene.Token::start)
                .distinct()
                .sorted()
                .toArray();
        double span = images.length > 2 ? (images[2] - from) * 1.08 : 1e6;
        span = Math.max(50_000, Math.min(span, 1_500_000));
        double left = LEFT;
        double width = RIGHT - 24 - LEFT;
        double scale = width / span;
        text(
                "the first " + trim(Math.round(span / 1e4) / 1e2) + " s of the sequence: each token at its own time",
                LEFT,
                y + 28,
                font(Font.BOLD, 14),
                INK);
        row("frames", y + 62);
        row("sound", y + 106);
        row("order", y + 196);
        Shape clip = g.getClip();
        g.clip(new Rectangle2D.Double(left - 2, y, width + 4, 270));
        List<Double> anchors = new ArrayList<>();
        int last = -1;
        List<int[]> runs = new ArrayList<>();
        for (int i = 0; i < tokens.size(); i++) {
            TimelineScene.Token t = tokens.get(i);
            boolean image = t.modality() == Modality.IMAGE;
            double x = left + (t.start() - from) * scale;
            double w = Math.max(1.5, (t.end() - t.start()) * scale);
            if (t.start() - from > span) {
                continue;
            }
            if (image && t.item() != last) {
                g.setColor(new Color(0x4F, 0xC3, 0xF7, 60));
                g.fill(new RoundRectangle2D.Double(x, y + 46, w, 26, 5, 5));
                g.setColor(MODALITY[0]);
                g.fill(new RoundRectangle2D.Double(x, y + 46, 3, 26, 3, 3));
            } else if (!image && t.body()) {
                g.setColor(new Color(0xFF, 0xB7, 0x4D, 190));
                g.fill(new RoundRectangle2D.Double(x + 0.6, y + 90, Math.max(1, w - 1.2), 26, 4, 4));
            }
            if (image) {
                last = t.item();
            }
            int kind = image ? 0 : 1;
            if (!runs.isEmpty()
                    && runs.get(runs.size() - 1)[0] == kind
                    && (!image || runs.get(runs.size() - 1)[2] == t.item())) {
                runs.get(runs.size() - 1)[1] += t.body() ? 1 : 0;
            } else {
                runs.add(new int[] {kind, t.body() ? 1 : 0, t.item()});
                anchors.add(x);
            }
        }
        // The sequence itself: one box for each run of tokens, as wide as its share, tied to its time above.
        int total = runs.stream().mapToInt(r -> r[1]).sum();
        double at = left;
        Font font = font(Font.BOLD, 12);
        for (int i = 0; i < runs.size(); i++) {
            int[] run = runs.get(i);
            double w = (double) run[1] / total * width;
            g.setColor(MODALITY[run[0]]);
            g.fill(new RoundRectangle2D.Double(at, y + 180, Math.max(1.2, w - 1.4), 26, 6, 6));
            String label = run[1] + (run[0] == 0 ? " patches" : " sound");
            if (width(label, font) + 10 > w) {
                label = String.valueOf(run[1]);
            }
            if (width(label, font) + 6 < w) {
                text(label, at + w / 2 - width(label, font) / 2, y + 197.5, font, BACKGROUND);
            }
            g.setColor(new Color(MODALITY[run[0]].getRGB() & 0xFFFFFF | 0x90000000, true));
            g.setStroke(new BasicStroke(1.2f));
            Path2D path = new Path2D.Double();
            double top = run[0] == 0 ? y + 72 : y + 116;
            path.moveTo(anchors.get(i) + 1.5, top);
            path.curveTo(anchors.get(i) + 1.5, y + 150, at + 1.5, y + 145, at + 1.5, y + 180);
            g.draw(path);
            at += w;
        }
        g.setClip(clip);
        double step = niceStep(span / 1e6 / 10);
        Font small = font(Font.PLAIN, 12);
        double firstTick = Math.ceil(from / 1e6 / step - 1e-9) * step + 0.0;
        for (double t = firstTick; t * 1e6 <= from + span; t += step) {
            String label = trim(t) + " s";
            double tick = Math.min(left + (t * 1e6 - from) * scale, RIGHT - 24 - width(label, small));
            // The ties pass behind it.
            g.setColor(CARD);
            g.fill(new Rectangle2D.Double(tick - 1, y + 122, width(label, small) + 5, 16));
            text(label, tick, y + 134, small, FAINT);
        }
        text(
                "frames first on ties; " + scene.soundTokens + " tokens of sound in all",
                LEFT,
                y + 240,
                font(Font.PLAIN, 13),
                FAINT);
    }

    private void row(String name, double y) {
        Font font = font(Font.PLAIN, 13);
        text(name, LEFT - 12 - width(name, font), y, font, FAINT);
    }

    private void label(String name, double y, int modality) {
        Font font = font(Font.BOLD, 14);
        text(name, LEFT - 12 - width(name, font), y, font, MODALITY[modality]);
    }
}
