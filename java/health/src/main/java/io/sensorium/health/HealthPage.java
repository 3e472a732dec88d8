package io.sensorium.health;

import java.util.Locale;

/** A report as one HTML page with its plots, which needs nothing else. */
public final class HealthPage {
    private static final int WIDTH = 420;
    private static final int HEIGHT = 200;
    private static final String BLUE = "#2a6fbb";
    private static final String ORANGE = "#d9822b";

    private HealthPage() {}

    /** The page. */
    public static String html(HealthReport report) {
        Settings s = report.settings();
        StringBuilder out = new StringBuilder();
        out.append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Health of the space</title>")
                .append("<style>body{font:14px/1.4 system-ui,sans-serif;margin:2em auto;max-width:60em;padding:0 1em}")
                .append(
                        "table{border-collapse:collapse}td,th{padding:2px 10px;text-align:right;white-space:nowrap;border-bottom:1px solid"
                                + " #ddd}td:first-child,th:first-child{text-align:left}")
                .append(".alarm{background:#fde3e1}.insufficient_data{color:#888}svg{background:#fafafa;margin:4px}")
                .append("figure{display:inline-block;margin:0 1em 1em 0}</style></head><body>");
        out.append("<h1>Health of the space</h1><p>")
                .append(escape(s.x() + " and " + s.y()))
                .append(", ")
                .append(s.dim())
                .append(" dimensions; ")
                .append(report.ofX())
                .append(" and ")
                .append(report.ofY())
                .append(" embeddings, ")
                .append(report.pairs())
                .append(" pairs, ")
                .append(report.rejected())
                .append(" turned away. <b>")
                .append(verdict(report))
                .append("</b></p>");
        HealthReport.Plots plots = report.plots();
        if (plots.matched().length > 0) {
            plot(out, "Cosine from −1 to 1", plots.matched(), "pairs", plots.unmatched(), "others", false);
        }
        if (plots.spectrumX().length > 0) {
            plot(out, "Singular values, logarithmic", plots.spectrumX(), s.x(), plots.spectrumY(), s.y(), true);
        }
        out.append(
                "<table><tr><th>figure</th><th>now</th><th>interval</th><th>baseline</th><th></th><th>state</th></tr>");
        for (Figure f : report.figures()) {
            row(out, f);
        }
        return out.append("</table><p>Grey: the baseline's interval; colour: now. A figure is an alarm where they lie"
                        + " apart.</p></body></html>\n")
                .toString();
    }

    private static String verdict(HealthReport report) {
        if (!report.alarms().isEmpty()) {
            return report.alarms().size() + " figures changed";
        }
        return report.compared() ? "no change" : "nothing was compared";
    }

    private static void row(StringBuilder out, Figure f) {
        String state = f.state().name().toLowerCase(Locale.ROOT);
        Estimate before = f.before();
        out.append("<tr class=\"")
                .append(state)
                .append("\"><td>")
                .append(escape(f.name()))
                .append("</td><td>")
                .append(number(f.now().value()))
                .append("</td><td>")
                .append(range(f.now()))
                .append("</td><td>")
                .append(before == null ? "" : range(before))
                .append("</td><td>");
        if (f.now().known() && before != null && before.known()) {
            intervals(out, f.now(), before, f.state() == Figure.State.ALARM);
        }
        out.append("</td><td>")
                .append(f.state() == Figure.State.NO_BASELINE ? "" : state.replace('_', ' '))
                .append("</td></tr>");
    }

    private static void intervals(StringBuilder out, Estimate now, Estimate before, boolean alarm) {
        double low = Math.min(now.low(), before.low());
        double span = Math.max(Math.max(now.high(), before.high()) - low, 1e-12);
        out.append("<svg width=\"160\" height=\"16\">");
        bar(out, before, low, span, 2, "#999");
        bar(out, now, low, span, 9, alarm ? "#c0392b" : BLUE);
        out.append("</svg>");
    }

    private static void bar(StringBuilder out, Estimate e, double low, double span, int y, String colour) {
        double from = 150 * (e.low() - low) / span + 4;
        double width = Math.max(2, 150 * (e.high() - e.low()) / span);
        out.append(String.format(
                Locale.ROOT,
                "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"5\" fill=\"%s\"/>",
                from,
                y,
                width,
                colour));
    }

    private static void plot(
            StringBuilder out, String title, double[] a, String nameA, double[] b, String nameB, boolean log) {
        out.append("<figure><figcaption>")
                .append(title)
                .append(": <span style=\"color:" + BLUE + "\">")
                .append(escape(nameA))
                .append("</span>, <span style=\"color:" + ORANGE + "\">")
                .append(escape(nameB))
                .append("</span></figcaption><svg width=\"" + WIDTH + "\" height=\"" + HEIGHT + "\">");
        double top = 0;
        for (double[] values : new double[][] {a, b}) {
            for (double v : values) {
                top = Math.max(top, v);
            }
        }
        line(out, a, top, BLUE, log);
        line(out, b, top, ORANGE, log);
        out.append("</svg></figure>");
    }

    private static void line(StringBuilder out, double[] values, double top, String colour, boolean log) {
        out.append("<polyline fill=\"none\" stroke-width=\"2\" stroke=\"")
                .append(colour)
                .append("\" points=\"");
        for (int i = 0; i < values.length; i++) {
            double share = top == 0 ? 0 : values[i] / top;
            // Four decades.
            double height = log ? 1 + Math.log10(Math.max(share, 1e-4)) / 4 : share;
            out.append(String.format(
                    Locale.ROOT,
                    "%.1f,%.1f ",
                    5 + (WIDTH - 10.0) * i / Math.max(1, values.length - 1),
                    HEIGHT - 5 - (HEIGHT - 10) * height));
        }
        out.append("\"/>");
    }

    private static String number(double value) {
        return Double.isNaN(value) ? "–" : String.format(Locale.ROOT, "%.4g", value);
    }

    private static String range(Estimate e) {
        return e.known() ? number(e.low()) + " … " + number(e.high()) : "–";
    }

    private static String escape(String text) {
        return text.replace("&", "&amp;")
                .replace("<", "&lt;")
                .replace(">", "&gt;")
                .replace("\"", "&quot;");
    }
}
