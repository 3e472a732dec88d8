package io.sensorium.commandline;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.sensorium.cli.Main;
import io.sensorium.files.Checkout;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** The command line, run in this JVM. */
final class Commands {
    private Commands() {}

    record Run(int code, String out, String err) {}

    static Run run(Object... arguments) {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        List<String> words = new ArrayList<>();
        for (Object argument : arguments) {
            words.add(argument.toString());
        }
        int code = Main.run(new PrintWriter(out, true), new PrintWriter(err, true), words.toArray(String[]::new));
        return new Run(code, out.toString(), err.toString());
    }

    static Run ok(Object... arguments) {
        Run run = run(arguments);
        assertEquals(0, run.code(), run.err());
        assertEquals("", run.err());
        return run;
    }

    /** Exit code 2 and one line that says what is wrong. */
    static void refused(String says, Object... arguments) {
        Run run = run(arguments);
        assertEquals(2, run.code(), run.out() + run.err());
        assertEquals("", run.out());
        assertEquals(1, run.err().lines().count(), run.err());
        assertTrue(run.err().startsWith("sensorium: ") && run.err().contains(says), run.err());
    }

    static Path sample(String name) {
        return Checkout.root().resolve("samples").resolve(name);
    }

    static Path speech() {
        return sample("sense_and_sensibility_01_austen_64kb-0870.wav");
    }
}
