package io.sensorium.search;

import io.sensorium.VectorIndex;
import java.io.IOException;
import java.nio.FloatBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import org.apache.lucene.codecs.KnnVectorsFormat;
import org.apache.lucene.codecs.lucene912.Lucene912Codec;
import org.apache.lucene.codecs.lucene99.Lucene99HnswVectorsFormat;
import org.apache.lucene.document.Document;
import org.apache.lucene.document.KnnFloatVectorField;
import org.apache.lucene.index.DirectoryReader;
import org.apache.lucene.index.IndexWriter;
import org.apache.lucene.index.IndexWriterConfig;
import org.apache.lucene.index.LogDocMergePolicy;
import org.apache.lucene.index.VectorSimilarityFunction;
import org.apache.lucene.search.IndexSearcher;
import org.apache.lucene.search.KnnFloatVectorQuery;
import org.apache.lucene.search.ScoreDoc;
import org.apache.lucene.store.ByteBuffersDirectory;
import org.apache.lucene.store.Directory;
import org.apache.lucene.store.FSDirectory;
import org.apache.lucene.store.IOContext;

/**
 * By Lucene's graph of near neighbours (Malkov and Yashunin 2016, HNSW), which finds most of the nearest among millions
 * without a look at all. What it proposes is scored again here, so that scores are the exact index's.
 */
final class HnswNearest implements Nearest {
    /** The most values of a vector that Lucene's format takes. */
    static final int MAX_DIM = 1024;

    private static final String FIELD = "vector";
    private static final int NEIGHBOURS = 32;
    private static final int BUILD_CANDIDATES = 200;
    private static final int LEAST_CANDIDATES = 200;

    private final FloatBuffer rows;
    private final int dim;
    private final Directory directory;
    private final DirectoryReader reader;
    private final IndexSearcher searcher;

    private HnswNearest(FloatBuffer rows, int dim, Directory directory) throws IOException {
        this.rows = rows;
        this.dim = dim;
        this.directory = directory;
        this.reader = DirectoryReader.open(directory);
        this.searcher = new IndexSearcher(reader);
        int expected = rows.remaining() / dim;
        if (reader.numDocs() != expected || reader.leaves().size() != 1) {
            close();
            throw new IllegalArgumentException(
                    directory + ": " + reader.numDocs() + " vectors in the graph, " + expected + " in the index");
        }
    }

    /** Makes the graph in memory: rows [n, dim], n at least 1. */
    static HnswNearest build(FloatBuffer rows, int dim) throws IOException {
        Directory directory = new ByteBuffersDirectory();
        // Merges of neighbouring segments keep the order, and one segment is left: a document's number is the row's.
        IndexWriterConfig config = new IndexWriterConfig()
                .setMergePolicy(new LogDocMergePolicy())
                .setRAMBufferSizeMB(512)
                .setCodec(new Lucene912Codec() {
                    @Override
                    public KnnVectorsFormat getKnnVectorsFormatForField(String field) {
                        return new Lucene99HnswVectorsFormat(NEIGHBOURS, BUILD_CANDIDATES);
                    }
                });
        try (IndexWriter writer = new IndexWriter(directory, config)) {
            for (int at = rows.position(); at < rows.limit(); at += dim) {
                float[] row = new float[dim];
                rows.get(at, row);
                Document document = new Document();
                document.add(new KnnFloatVectorField(FIELD, row, VectorSimilarityFunction.MAXIMUM_INNER_PRODUCT));
                writer.addDocument(document);
            }
            writer.forceMerge(1);
        }
        return new HnswNearest(rows, dim, directory);
    }

    /** Opens a graph of these rows that {@link #copyTo} wrote. */
    static HnswNearest open(Path folder, FloatBuffer rows, int dim) throws IOException {
        return new HnswNearest(rows, dim, FSDirectory.open(folder));
    }

    void copyTo(Path folder) throws IOException {
        Files.createDirectories(folder);
        try (Directory target = FSDirectory.open(folder)) {
            for (String file : directory.listAll()) {
                target.copyFrom(directory, file, file, IOContext.DEFAULT);
            }
        }
    }

    @Override
    public List<Place> search(float[] query, int k) throws IOException {
        if (k < 1 || k > VectorIndex.MAX_K) {
            throw new IllegalArgumentException("k is " + k + ", not in [1, " + VectorIndex.MAX_K + "]");
        }
        int candidates = Math.max(LEAST_CANDIDATES, 2 * k);
        List<Place> places = new ArrayList<>();
        for (ScoreDoc found :
                searcher.search(new KnnFloatVectorQuery(FIELD, query, candidates), candidates).scoreDocs) {
            places.add(new Place(found.doc, score(query, found.doc)));
        }
        places.sort(Comparator.comparingDouble((Place place) -> -place.score()).thenComparingInt(Place::id));
        return places.size() > k ? places.subList(0, k) : places;
    }

    private float score(float[] query, int row) {
        int start = rows.position() + row * dim;
        double sum = 0;
        for (int i = 0; i < dim; i++) {
            sum += (double) query[i] * rows.get(start + i);
        }
        return (float) sum;
    }

    @Override
    public void close() throws IOException {
        reader.close();
        directory.close();
    }
}
