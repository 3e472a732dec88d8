package io.sensorium.smoke;

import io.sensorium.Engine;
import io.sensorium.LogMel;
import io.sensorium.LogMelConfig;
import io.sensorium.Model;
import io.sensorium.SequenceConfig;
import io.sensorium.Session;
import io.sensorium.SessionLimits;
import io.sensorium.TextConfig;
import java.nio.FloatBuffer;
import java.nio.LongBuffer;

/** The main class of JVMs that tests start: a little of everything, with the public API only. */
public final class Smoke {
    private Smoke() {}

    /** Prints the module of the API and the last token value. */
    public static void main(String[] args) {
        try (Engine engine = Engine.open();
                Model model = engine.newModel()
                        .sequence(SequenceConfig.builder().dModel(2).build())
                        .text(TextConfig.builder().vocabulary(2).maxTokens(8).build())
                        .tensor("text.embedding", FloatBuffer.wrap(new float[] {1, 2, 3, 4}), 2, 2)
                        .build();
                Session session = model.newSession(SessionLimits.builder().build());
                LogMel logMel = engine.logMel(LogMelConfig.builder().build())) {
            FloatBuffer out = FloatBuffer.allocate(logMel.frames(8000) * logMel.mels());
            logMel.run(FloatBuffer.allocate(8000), out);
            for (int i = 0; i < 100; i++) {
                session.clear().text(LongBuffer.wrap(new long[] {0, 1})).run();
            }
            try {
                session.clear().text(LongBuffer.wrap(new long[] {7})).run();
                throw new AssertionError("id 7 must be refused");
            } catch (io.sensorium.OutOfRangeException expected) {
                session.clear();
            }
            float last = session.text(LongBuffer.wrap(new long[] {0, 1}))
                    .run()
                    .tokens()
                    .values()
                    .get(3);
            System.out.println("module " + Engine.class.getModule().getName() + ", last " + last);
        }
    }
}
