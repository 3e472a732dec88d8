package io.sensorium.cli;

import java.io.PrintWriter;
import java.util.ArrayList;
import java.util.List;

/** Columns of text; those of numbers are aligned to the right. */
public final class Table {
    private final List<String[]> rows = new ArrayList<>();
    private final String alignment;

    /** One character a column: l or r. */
    public Table(String alignment, String... header) {
        this.alignment = alignment;
        rows.add(header);
    }

    /** Adds a row. */
    public Table row(Object... cells) {
        String[] row = new String[alignment.length()];
        for (int i = 0; i < row.length; i++) {
            row[i] = i < cells.length ? String.valueOf(cells[i]) : "";
        }
        rows.add(row);
        return this;
    }

    /** Prints it with a rule under its header. */
    public void print(PrintWriter out) {
        int[] widths = new int[alignment.length()];
        for (String[] row : rows) {
            for (int i = 0; i < row.length; i++) {
                widths[i] = Math.max(widths[i], length(row[i]));
            }
        }
        for (int r = 0; r < rows.size(); r++) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < widths.length; i++) {
                String cell = rows.get(r)[i];
                String pad = " ".repeat(widths[i] - length(cell));
                line.append(alignment.charAt(i) == 'r' ? pad + cell : cell + pad)
                        .append("  ");
            }
            out.println(line.toString().stripTrailing());
            if (r == 0) {
                StringBuilder rule = new StringBuilder();
                for (int width : widths) {
                    rule.append("─".repeat(width)).append("  ");
                }
                out.println(rule.toString().stripTrailing());
            }
        }
        out.flush();
    }

    private static int length(String text) {
        return text.codePointCount(0, text.length());
    }
}
