/** Text to token ids. */
module io.sensorium.text {
    requires static org.jspecify;
    requires ai.djl.tokenizers;
    requires ai.djl.api;

    exports io.sensorium.text;
}
