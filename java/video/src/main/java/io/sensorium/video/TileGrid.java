package io.sensorium.video;

import static org.bytedeco.ffmpeg.global.avcodec.AV_PKT_DATA_DISPLAYMATRIX;
import static org.bytedeco.ffmpeg.global.avformat.AV_STREAM_GROUP_PARAMS_TILE_GRID;
import static org.bytedeco.ffmpeg.global.avutil.*;

import io.sensorium.SensoriumOutOfMemoryException;
import java.util.ArrayList;
import java.util.List;
import org.bytedeco.ffmpeg.avcodec.AVPacketSideData;
import org.bytedeco.ffmpeg.avformat.AVFormatContext;
import org.bytedeco.ffmpeg.avformat.AVStreamGroup;
import org.bytedeco.ffmpeg.avformat.AVStreamGroupTileGrid;
import org.bytedeco.ffmpeg.avutil.AVFrame;
import org.bytedeco.ffmpeg.avutil.AVPixFmtDescriptor;
import org.bytedeco.javacpp.IntPointer;
import org.jspecify.annotations.Nullable;

/** A picture that is coded as tiles, each a stream of its own (AVIF, HEIF), put together before its colours are converted. */
final class TileGrid {
    private record Tile(int stream, int x, int y, int width, int height) {}

    private final String name;
    private final List<Tile> tiles = new ArrayList<>();
    private final int codedWidth;
    private final int codedHeight;
    private final int left;
    private final int top;
    private final int width;
    private final int height;
    private final Orientation orientation;

    private TileGrid(AVFormatContext format, AVStreamGroup group, String name, MediaLimits limits) {
        this.name = name;
        AVStreamGroupTileGrid grid = group.params_tile_grid();
        codedWidth = grid.coded_width();
        codedHeight = grid.coded_height();
        left = grid.horizontal_offset();
        top = grid.vertical_offset();
        width = grid.width();
        height = grid.height();
        long pixels = (long) codedWidth * codedHeight;
        if (codedWidth < 1 || codedHeight < 1) {
            throw FFmpeg.corrupt(name, "tiles of " + codedWidth + "×" + codedHeight);
        }
        if (pixels > limits.maxPixels()) {
            throw FFmpeg.exceeded(
                    name,
                    "tiles of " + codedWidth + "×" + codedHeight + " = " + pixels + " pixels",
                    limits.maxPixels());
        }
        if (!inside(left, width, codedWidth) || !inside(top, height, codedHeight)) {
            throw FFmpeg.corrupt(
                    name,
                    "a picture of " + width + "×" + height + " at " + left + ", " + top + " in tiles of " + codedWidth
                            + "×" + codedHeight);
        }
        long covered = 0;
        for (int i = 0; i < grid.nb_tiles(); i++) {
            int index = grid.offsets_idx(i);
            if (index < 0 || index >= group.nb_streams()) {
                throw FFmpeg.corrupt(name, "tile " + i + " is stream " + index + " of " + group.nb_streams());
            }
            int stream = group.streams(index).index();
            Tile tile = new Tile(
                    stream,
                    grid.offsets_horizontal(i),
                    grid.offsets_vertical(i),
                    format.streams(stream).codecpar().width(),
                    format.streams(stream).codecpar().height());
            if (!inside(tile.x, tile.width, codedWidth) || !inside(tile.y, tile.height, codedHeight)) {
                throw FFmpeg.corrupt(
                        name, "tile " + i + ", " + tile + ", is outside " + codedWidth + "×" + codedHeight);
            }
            covered += (long) tile.width * tile.height;
            tiles.add(tile);
        }
        if (covered != pixels) {
            throw FFmpeg.corrupt(name, "tiles of " + covered + " pixels for " + pixels);
        }
        orientation = orientation(grid);
    }

    private static boolean inside(int begin, int size, int whole) {
        return begin >= 0 && size > 0 && size <= whole - begin;
    }

    private static Orientation orientation(AVStreamGroupTileGrid grid) {
        for (int i = 0; i < grid.nb_coded_side_data(); i++) {
            AVPacketSideData data = grid.coded_side_data().getPointer(i);
            if (data.type() == AV_PKT_DATA_DISPLAYMATRIX && data.size() >= 36) {
                return Orientation.of(new IntPointer(data.data()).capacity(9));
            }
        }
        return Orientation.UPRIGHT;
    }

    /** The file's grid, or null if its picture is in one piece. */
    static @Nullable TileGrid of(AVFormatContext format, String name, MediaLimits limits) {
        for (int i = 0; i < format.nb_stream_groups(); i++) {
            AVStreamGroup group = format.stream_groups(i);
            if (group.type() == AV_STREAM_GROUP_PARAMS_TILE_GRID) {
                return new TileGrid(format, group, name, limits);
            }
        }
        return null;
    }

    int width() {
        return width;
    }

    int height() {
        return height;
    }

    Orientation orientation() {
        return orientation;
    }

    /** The stream of the first tile. */
    int first() {
        return tiles.get(0).stream;
    }

    boolean contains(int stream) {
        return tiles.stream().anyMatch(tile -> tile.stream == stream);
    }

    /** Streams that are not yet there. */
    List<Integer> streams() {
        return new ArrayList<>(tiles.stream().map(Tile::stream).distinct().toList());
    }

    /** Puts a decoded tile in its places; the first one tells the format of {@code whole}, which is empty before. */
    void place(AVFrame part, int stream, AVFrame whole) {
        if (whole.width() == 0) {
            make(part, whole);
        }
        if (part.format() != whole.format()) {
            throw FFmpeg.corrupt(name, "tiles of pixel formats " + whole.format() + " and " + part.format());
        }
        AVPixFmtDescriptor format = av_pix_fmt_desc_get(part.format());
        for (Tile tile : tiles) {
            if (tile.stream == stream) {
                if (part.width() != tile.width || part.height() != tile.height) {
                    throw FFmpeg.corrupt(name, part.width() + "×" + part.height() + " where " + tile + " was told");
                }
                for (int plane = 0; plane < av_pix_fmt_count_planes(part.format()); plane++) {
                    copy(part, tile, plane, format, whole);
                }
            }
        }
    }

    private void make(AVFrame part, AVFrame whole) {
        AVPixFmtDescriptor format = av_pix_fmt_desc_get(part.format());
        if ((format.flags() & (AV_PIX_FMT_FLAG_PAL | AV_PIX_FMT_FLAG_BITSTREAM | AV_PIX_FMT_FLAG_HWACCEL)) != 0) {
            throw FFmpeg.corrupt(name, "tiles of pixel format " + part.format());
        }
        whole.width(codedWidth).height(codedHeight).format(part.format());
        whole.colorspace(part.colorspace());
        whole.color_range(part.color_range());
        if (av_frame_get_buffer(whole, 0) < 0) {
            throw new SensoriumOutOfMemoryException(
                    name + ": no memory for " + codedWidth + "×" + codedHeight, "", -1, null);
        }
        for (int plane = 0; plane < av_pix_fmt_count_planes(part.format()); plane++) {
            // Tiles over each other would leave a hole elsewhere.
            long rows = rows(plane, codedHeight, format);
            whole.data(plane).capacity(rows * whole.linesize(plane)).zero();
        }
    }

    private static int rows(int plane, int rows, AVPixFmtDescriptor format) {
        int shift = plane == 1 || plane == 2 ? format.log2_chroma_h() : 0;
        return -(-rows >> shift);
    }

    private void copy(AVFrame part, Tile tile, int plane, AVPixFmtDescriptor format, AVFrame whole) {
        if (tile.x % (1 << format.log2_chroma_w()) != 0 || tile.y % (1 << format.log2_chroma_h()) != 0) {
            throw FFmpeg.corrupt(name, tile + " begins in the middle of a chroma sample");
        }
        int left = tile.x == 0 ? 0 : av_image_get_linesize(part.format(), tile.x, plane);
        int bytes = av_image_get_linesize(part.format(), tile.width, plane);
        long at = (long) rows(plane, tile.y, format) * whole.linesize(plane) + left;
        av_image_copy_plane(
                whole.data(plane).getPointer(at),
                whole.linesize(plane),
                part.data(plane),
                part.linesize(plane),
                bytes,
                rows(plane, tile.height, format));
    }

    /** Cuts what the tiles have beyond the picture. */
    void crop(AVFrame whole) {
        whole.crop_left(left).crop_top(top);
        whole.crop_right(codedWidth - left - width).crop_bottom(codedHeight - top - height);
        if (av_frame_apply_cropping(whole, AV_FRAME_CROP_UNALIGNED) < 0) {
            throw FFmpeg.corrupt(name, "a picture of " + width + "×" + height + " cannot be cut out of its tiles");
        }
    }
}
