/** The command line of Sensorium. */
module io.sensorium.cli {
    requires io.sensorium;
    requires io.sensorium.cuda;
    requires io.sensorium.models;
    requires io.sensorium.media;
    requires io.sensorium.video;
    requires io.sensorium.text;
    requires io.sensorium.search;
    requires io.sensorium.demo;
    requires io.sensorium.health;
    requires info.picocli;
    requires com.fasterxml.jackson.databind;
    requires java.desktop;

    exports io.sensorium.cli;

    uses io.sensorium.cli.SubCommand;

    opens io.sensorium.cli to
            info.picocli;
}
