package io.sensorium.cli;

import java.io.PrintWriter;
import java.nio.file.AccessDeniedException;
import java.nio.file.NoSuchFileException;
import java.util.Properties;
import java.util.ServiceLoader;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.Option;
import picocli.CommandLine.ScopeType;

/**
 * The command {@code sensorium}. Exit codes: 0 done, 1 a check failed, 2 wrong usage or an error, which is told in one
 * line on stderr.
 */
@Command(
        name = "sensorium",
        description = "Pixels, sound and text into one token space, compressed to a few latents.",
        mixinStandardHelpOptions = true,
        versionProvider = Main.Version.class,
        scope = ScopeType.INHERIT,
        subcommands = {
            EncodeCommand.class,
            FeaturesCommand.class,
            ResampleCommand.class,
            EmbedCommand.class,
            IndexCommand.class,
            SearchCommand.class,
            InfoCommand.class,
            CheckCommand.class,
            HealthCommand.class
        })
public final class Main implements Runnable {
    /** Exit code of a check that failed. */
    public static final int FAILED = 1;
    /** Exit code of wrong usage and of errors. */
    public static final int ERROR = 2;

    @Option(names = "--verbose", description = "Show the stack of an error.", scope = ScopeType.INHERIT)
    private boolean verbose;

    @CommandLine.Spec
    private CommandLine.Model.CommandSpec spec;

    private Main() {}

    /** Runs and exits. */
    public static void main(String[] arguments) {
        System.setProperty("java.awt.headless", "true");
        PrintWriter out = new PrintWriter(
                new java.io.OutputStreamWriter(System.out, java.nio.charset.StandardCharsets.UTF_8), true);
        PrintWriter err = new PrintWriter(
                new java.io.OutputStreamWriter(System.err, java.nio.charset.StandardCharsets.UTF_8), true);
        int code = run(out, err, arguments);
        out.flush();
        err.flush();
        System.exit(code);
    }

    /** Runs one command line and returns its exit code. */
    public static int run(PrintWriter out, PrintWriter err, String... arguments) {
        Main main = new Main();
        CommandLine command = new CommandLine(main);
        // Commands of modules that are not always there: train.
        ServiceLoader.load(SubCommand.class).forEach(command::addSubcommand);
        command.setOut(out)
                .setErr(err)
                .setCaseInsensitiveEnumValuesAllowed(true)
                .setParameterExceptionHandler((e, args) -> {
                    e.getCommandLine()
                            .getErr()
                            .println("sensorium: " + line(e) + " (see '"
                                    + e.getCommandLine().getCommandSpec().qualifiedName() + " --help')");
                    return ERROR;
                })
                .setExecutionExceptionHandler((e, failed, parsed) -> {
                    if (main.verbose) {
                        e.printStackTrace(failed.getErr());
                    } else {
                        failed.getErr().println("sensorium: " + line(e));
                    }
                    return ERROR;
                });
        // Not in the annotation, whose scope would give it to every command.
        command.getCommandSpec()
                .usageMessage()
                .footer("The launcher also has 'bench': this project beside others, see 'sensorium bench --help'.");
        try {
            return command.execute(arguments);
        } catch (OutOfMemoryError | LinkageError e) {
            // picocli hands only exceptions to the handler.
            if (main.verbose) {
                e.printStackTrace(err);
            } else {
                err.println("sensorium: " + line(e));
            }
            return ERROR;
        }
    }

    @Override
    public void run() {
        throw new CommandLine.ParameterException(spec.commandLine(), "no command given");
    }

    /** An error as one line. */
    private static String line(Throwable e) {
        String message = e.getMessage() == null ? "" : e.getMessage();
        if (e instanceof NoSuchFileException) {
            message = "no such file: " + message;
        } else if (e instanceof AccessDeniedException) {
            message = "permission denied: " + message;
        } else if (e instanceof OutOfMemoryError || e instanceof LinkageError) {
            message = e.getClass().getSimpleName() + ": " + message;
        } else if (message.isEmpty()) {
            message = e.toString();
        }
        return String.join(
                "; ",
                message.lines().map(String::strip).filter(s -> !s.isEmpty()).toList());
    }

    /** The version that Maven wrote into the jar. */
    static final class Version implements IVersionProvider {
        @Override
        public String[] getVersion() {
            return new String[] {"sensorium " + text()};
        }

        static String text() {
            Properties properties = new Properties();
            try (java.io.InputStream in = Main.class.getResourceAsStream("version.properties")) {
                properties.load(in);
            } catch (java.io.IOException e) {
                throw new java.io.UncheckedIOException(e);
            }
            return properties.getProperty("version");
        }
    }
}
