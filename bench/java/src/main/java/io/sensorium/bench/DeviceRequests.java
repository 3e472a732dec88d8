package io.sensorium.bench;

import io.sensorium.Device;
import io.sensorium.Engine;
import io.sensorium.Model;
import io.sensorium.Output;
import io.sensorium.Precision;
import io.sensorium.Result;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.Function;

/**
 * Requests through a session of the GPU's engine, from a Java caller's point of view: what they read lies in the session's
 * page-locked inbox, and results are copied to the host or stay on the device. Each item of a batch is a sequence of its own
 * and has bytes of its own.
 */
final class DeviceRequests {
    static final String OURS = Contender.OURS + " on the GPU";

    private DeviceRequests() {}

    static Engine engine(Precision precision, Closing closing) {
        return closing.add(
                Engine.builder().device(Device.cuda()).precision(precision).open());
    }

    static ByteBuffer bytes(float[] values) {
        ByteBuffer bytes = ByteBuffer.allocate(4 * values.length).order(ByteOrder.nativeOrder());
        bytes.asFloatBuffer().put(values);
        return bytes;
    }

    /**
     * The contenders: one item and {@code batch} of them, results to the host and on the device.
     *
     * @param one limits of one item
     * @param item its bytes
     * @param reader of an item that lies there: adds it to a request
     * @param values of a result
     */
    static List<Contender> of(
            Model model,
            SessionLimits one,
            int batch,
            ByteBuffer item,
            Function<ByteBuffer, Consumer<Session>> reader,
            Function<Result, FloatBuffer> values,
            Closing closing) {
        List<Contender> all = new ArrayList<>();
        for (int items : batch == 1 ? new int[] {1} : new int[] {1, batch}) {
            String name = OURS + (items == 1 ? "" : ", " + items + " at once");
            Runnable[] request = new Runnable[2];
            Session[] sessions = new Session[2];
            for (int i = 0; i < 2; i++) {
                Session session = closing.add(model.newSession(SessionLimits.builder()
                        .maxItems(items)
                        .maxSequences(items)
                        .maxTokens(Math.multiplyExact(items, one.maxTokens()))
                        .maxPixels(one.maxPixels())
                        .maxSamples(one.maxSamples())
                        .build()));
                sessions[i] = session;
                request[i] = request(session, items, item, reader);
            }
            sessions[1].output(Output.DEVICE);
            all.add(new Contender(
                    name,
                    () -> {
                        request[0].run();
                        sessions[0].run();
                    },
                    () -> {
                        request[0].run();
                        float[] every = Values.of(values.apply(sessions[0].run()));
                        return Arrays.copyOfRange(every, every.length - every.length / items, every.length);
                    },
                    items));
            all.add(new Contender(
                    name + ", kept there",
                    () -> {
                        request[1].run();
                        sessions[1].runAsync().join();
                    },
                    null,
                    items));
        }
        return all;
    }

    private static Runnable request(
            Session session, int items, ByteBuffer item, Function<ByteBuffer, Consumer<Session>> reader) {
        int bytes = item.remaining();
        ByteBuffer inbox = session.inbox(Math.multiplyExact(items, bytes));
        List<Consumer<Session>> readers = new ArrayList<>();
        for (int i = 0; i < items; i++) {
            ByteBuffer place = inbox.slice(i * bytes, bytes).order(ByteOrder.nativeOrder());
            place.put(0, item, item.position(), bytes);
            readers.add(reader.apply(place));
        }
        return () -> {
            session.clear();
            for (int i = 0; i < items; i++) {
                if (i > 0) {
                    session.nextSequence();
                }
                readers.get(i).accept(session);
            }
        };
    }
}
