package io.sensorium.cli;

import java.awt.BasicStroke;
import java.awt.Color;
import java.awt.Font;
import java.awt.Graphics2D;
import java.awt.RenderingHints;
import java.awt.geom.RoundRectangle2D;
import java.awt.image.BufferedImage;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.file.Path;
import java.util.Locale;
import javax.imageio.ImageIO;

/** The look that all plots share. */
abstract class Drawing {
    static final Color BACKGROUND = new Color(0x0F1218);
    static final Color CARD = new Color(0x171C25);
    static final Color EDGE = new Color(0x2A3240);
    static final Color INK = new Color(0xE8ECF2);
    static final Color FAINT = new Color(0x8C97A8);
    static final Color[] MODALITY = {new Color(0x4FC3F7), new Color(0xFFB74D), new Color(0xAED581)};
    static final int WIDTH = 1600;
    static final int MARGIN = 56;

    final Graphics2D g;

    Drawing(Graphics2D graphics) {
        this.g = graphics;
    }

    static BufferedImage canvas(int height) {
        return new BufferedImage(WIDTH, height, BufferedImage.TYPE_INT_RGB);
    }

    static Graphics2D graphics(BufferedImage canvas) {
        Graphics2D g = canvas.createGraphics();
        g.setRenderingHint(RenderingHints.KEY_ANTIALIASING, RenderingHints.VALUE_ANTIALIAS_ON);
        g.setRenderingHint(RenderingHints.KEY_TEXT_ANTIALIASING, RenderingHints.VALUE_TEXT_ANTIALIAS_ON);
        g.setRenderingHint(RenderingHints.KEY_FRACTIONALMETRICS, RenderingHints.VALUE_FRACTIONALMETRICS_ON);
        g.setRenderingHint(RenderingHints.KEY_INTERPOLATION, RenderingHints.VALUE_INTERPOLATION_BILINEAR);
        g.setRenderingHint(RenderingHints.KEY_STROKE_CONTROL, RenderingHints.VALUE_STROKE_PURE);
        return g;
    }

    /** Writes a PNG; the file appears only when it is complete. */
    static void write(BufferedImage image, Path file) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ImageIO.write(image, "png", bytes);
        AtomicFile.write(file, bytes.toByteArray());
    }

    void card(double x, double y, double w, double h) {
        g.setColor(CARD);
        g.fill(new RoundRectangle2D.Double(x, y, w, h, 14, 14));
        g.setColor(EDGE);
        g.setStroke(new BasicStroke(1));
        g.draw(new RoundRectangle2D.Double(x, y, w, h, 14, 14));
    }

    void text(String label, double x, double y, Font font, Color color) {
        g.setFont(font);
        g.setColor(color);
        g.drawString(label, (float) x, (float) y);
    }

    double width(String label, Font font) {
        return font.getStringBounds(label, g.getFontRenderContext()).getWidth();
    }

    static Font font(int style, int size) {
        return new Font(Font.SANS_SERIF, style, size);
    }

    static double niceStep(double raw) {
        double ten = Math.pow(10, Math.floor(Math.log10(raw)));
        for (double factor : new double[] {1, 2, 5}) {
            if (factor * ten >= raw) {
                return factor * ten;
            }
        }
        return 10 * ten;
    }

    static String trim(double value) {
        String text = String.format(Locale.ROOT, "%.3f", value);
        return text.replaceAll("\\.?0+$", "").isEmpty() ? "0" : text.replaceAll("\\.?0+$", "");
    }
}
