/** Cross-modal search for Sensorium. */
module io.sensorium.search {
    requires transitive io.sensorium.models;
    requires transitive io.sensorium.media;
    requires transitive io.sensorium.data;
    requires org.apache.lucene.core;

    exports io.sensorium.search;
}
