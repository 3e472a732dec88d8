/** Health of an embedding space. */
module io.sensorium.health {
    requires static org.jspecify;
    requires static micrometer.core;
    requires com.fasterxml.jackson.databind;
    requires ejml.core;
    requires ejml.ddense;

    exports io.sensorium.health;
}
