/** A small trained model for Sensorium. */
module io.sensorium.demo {
    requires transitive io.sensorium.models;

    exports io.sensorium.demo;
}
