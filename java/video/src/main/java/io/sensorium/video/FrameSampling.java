package io.sensorium.video;

import io.sensorium.InvalidArgumentException;

/** Which frames of a video are used. All but {@link Every} go by time, never by an assumed frame rate. */
public sealed interface FrameSampling {
    /** Every {@code step}-th frame, from the first on. */
    record Every(int step) implements FrameSampling {
        /** Checks the step. */
        public Every {
            if (step < 1) {
                throw new InvalidArgumentException("step: " + step + " is below 1", "step");
            }
        }
    }

    /** The frames whose times are nearest to the first frame's time + i/rate; each at most once. */
    record Rate(Rational rate) implements FrameSampling {
        /** Checks the rate. */
        public Rate {
            if (rate.num() <= 0) {
                throw new InvalidArgumentException("rate: " + rate + " is not positive", "rate");
            }
        }
    }

    /** The frames whose times are nearest to the middles of {@code frames} equal parts of the clip; each at most once. */
    record Count(int frames) implements FrameSampling {
        /** Checks the number. */
        public Count {
            if (frames < 1) {
                throw new InvalidArgumentException("frames: " + frames + " is below 1", "frames");
            }
        }
    }

    /** Every {@code step}-th frame. */
    static FrameSampling every(int step) {
        return new Every(step);
    }

    /** So many frames a second. */
    static FrameSampling rate(Rational framesPerSecond) {
        return new Rate(framesPerSecond);
    }

    /** So many frames over the whole clip. */
    static FrameSampling count(int frames) {
        return new Count(frames);
    }
}
