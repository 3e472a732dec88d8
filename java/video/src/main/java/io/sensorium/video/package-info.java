/**
 * Video through FFmpeg with exact times: {@link io.sensorium.video.MediaFile} decodes, {@link
 * io.sensorium.video.VideoTokenizer} makes one sequence of frames and sound in which every token knows its time.
 */
@org.jspecify.annotations.NullMarked
package io.sensorium.video;
