/** Video for Sensorium: decoding through FFmpeg, and tokens of picture and sound by true time. */
module io.sensorium.video {
    requires transitive io.sensorium.media;
    requires org.bytedeco.ffmpeg;
    requires static transitive org.jspecify;

    exports io.sensorium.video;

    provides io.sensorium.media.MediaReader with
            io.sensorium.video.FFmpegReader;
}
