/** Data sets for Sensorium. */
module io.sensorium.data {
    requires transitive org.jspecify;
    requires com.fasterxml.jackson.databind;
    requires java.desktop;
    requires java.xml;

    exports io.sensorium.data;
}
