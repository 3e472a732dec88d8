/** CUDA engines beside other CUDA code of the same process. */
module io.sensorium.cuda {
    requires transitive io.sensorium;
    requires transitive org.bytedeco.cuda;
    requires static transitive org.jspecify;

    exports io.sensorium.cuda;
}
