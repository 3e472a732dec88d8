/** Images and sound for Sensorium. */
module io.sensorium.media {
    requires transitive io.sensorium;
    requires java.desktop;

    exports io.sensorium.media;

    uses io.sensorium.media.MediaReader;
}
