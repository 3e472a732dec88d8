/** Engine, model and session: pixels, sound and text into one token space, compressed to a few latents. */
module io.sensorium {
    requires static transitive org.jspecify;
    requires org.bytedeco.javacpp;

    exports io.sensorium;
}
