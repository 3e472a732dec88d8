/** Weights and published configurations for Sensorium. */
module io.sensorium.models {
    requires transitive io.sensorium;
    requires transitive com.fasterxml.jackson.databind;

    exports io.sensorium.models;
}
