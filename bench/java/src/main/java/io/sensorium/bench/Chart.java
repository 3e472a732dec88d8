package io.sensorium.bench;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.image.BufferedImage;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import javax.imageio.ImageIO;

/** One bar a contender, as long as its time in units of ours; a mark where the ceiling is. Fewest threads only. */
final class Chart {
    private static final int WIDTH = 1200;
    private static final int LEFT = 300;
    private static final int RIGHT = 1080;
    private static final int BAR = 15;
    private static final int GAP = 14;
    private static final int TOP = 70;
    /** Times ours at the right edge; longer bars are cut there. */
    private static final double MOST = 8;

    private static final Color OURS = new Color(0x1B7F79);
    private static final Color PEER = new Color(0xB8BEC7);
    private static final Color CEILING = new Color(0xC8452E);
    private static final Color TEXT = new Color(0x22262B);

    private Chart() {}

    static void write(Report report, Path file) throws IOException {
        int threads =
                report.results.stream().mapToInt(Main.Result::threads).min().orElse(1);
        List<Main.Result> shown =
                report.results.stream().filter(r -> r.threads() == threads).toList();
        int height = TOP
                + shown.stream().mapToInt(r -> r.timings().size() * BAR + GAP).sum()
                + 20;
        BufferedImage image = new BufferedImage(WIDTH, height, BufferedImage.TYPE_INT_RGB);
        Graphics2D g = image.createGraphics();
        g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        g.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
        g.setColor(Color.WHITE);
        g.fillRect(0, 0, WIDTH, height);
        g.setColor(TEXT);
        g.setFont(new Font(Font.SANS_SERIF, Font.BOLD, 17));
        g.drawString(
                "Time, Sensorium = 1 (shorter is better), %d thread%s".formatted(threads, threads == 1 ? "" : "s"),
                20,
                28);
        g.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 12));
        g.drawString(
                "Medians of paired runs in one process. Red mark: the machine's own ceiling, measured in the same run.",
                20,
                48);
        int y = TOP;
        for (Main.Result r : shown) {
            draw(g, r, report, y);
            y += r.timings().size() * BAR + GAP;
        }
        g.dispose();
        if (file.toAbsolutePath().getParent() != null) {
            Files.createDirectories(file.toAbsolutePath().getParent());
        }
        ImageIO.write(image, "png", file.toFile());
    }

    private static void draw(Graphics2D g, Main.Result r, Report report, int top) {
        double ours = r.timings().get(0).medianMillis();
        g.setFont(new Font(Font.SANS_SERIF, Font.BOLD, 12));
        g.setColor(TEXT);
        g.drawString(r.work().name(), 20, top + BAR - 3);
        g.setFont(new Font(Font.SANS_SERIF, Font.PLAIN, 11));
        if (r.timings().size() > 1) {
            g.drawString(r.work().title(), 20, top + 2 * BAR - 3);
        }
        int y = top;
        for (Timing t : r.timings()) {
            int end = x(t.ratio());
            g.setColor(t.ours() ? OURS : PEER);
            g.fillRect(LEFT, y + 1, end - LEFT, BAR - 3);
            g.setColor(TEXT);
            String label = t.ours()
                    ? "%s  %.3g ms".formatted(t.contender(), t.medianMillis())
                    : "%s  %.1f×%s".formatted(t.contender(), t.ratio(), t.ratio() > MOST ? " →" : "");
            int width = g.getFontMetrics().stringWidth(label);
            boolean inside = end + 6 + width > WIDTH - 10;
            g.drawString(label, inside ? end - width - 6 : end + 6, y + BAR - 4);
            y += BAR;
        }
        int mark = x(Report.ceilingMillis(r, report.ceilings) / ours);
        g.setColor(CEILING);
        g.setStroke(new BasicStroke(2));
        g.drawLine(mark, top, mark, top + BAR - 2);
    }

    private static int x(double ratio) {
        return LEFT + (int) Math.round((RIGHT - LEFT) * Math.min(ratio, MOST) / MOST);
    }
}
