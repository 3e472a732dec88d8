package io.sensorium.data;

import java.util.List;

/** The voices that speak for builders. */
final class Voices {
    private Voices() {}

    /** Voices differ in speaker, accent and speed; those of TEST and VALIDATION are never trained. */
    static final List<Voice> ENGLISH = List.of(
            Voice.espeak("en-us", 175, Split.TRAIN),
            Voice.flite("slt", 0, 0, Split.TRAIN),
            Voice.espeak("en-us+f2", 165, Split.TRAIN),
            Voice.flite("awb", 0, 0, Split.TRAIN),
            Voice.espeak("en-us+m3", 175, Split.TEST),
            Voice.espeak("en-us+f5", 170, Split.VALIDATION),
            Voice.espeak("en-gb", 180, Split.TRAIN),
            Voice.espeak("en-us+m7", 160, Split.TRAIN),
            Voice.flite("rms", 0, 0, Split.TEST),
            Voice.espeak("en-us+f4", 190, Split.TRAIN),
            Voice.flite("kal16", 0, 0, Split.TRAIN),
            Voice.festival("kal_diphone", 0, 0, Split.TRAIN),
            Voice.festival("ked_diphone", 0, 0, Split.TRAIN),
            Voice.festival("cmu_us_slt_arctic_hts", 0, 0, Split.TRAIN),
            Voice.flite("kal", 0, 0, Split.TRAIN),
            Voice.flite("awb", 85, 105, Split.TRAIN),
            Voice.flite("slt", 115, 150, Split.TRAIN),
            Voice.flite("kal16", 90, 85, Split.TRAIN),
            Voice.festival("cmu_us_slt_arctic_hts", 90, 0, Split.TRAIN),
            Voice.festival("ked_diphone", 115, 130, Split.TRAIN),
            Voice.flite("awb", 115, 160, Split.TRAIN),
            Voice.festival("kal_diphone", 85, 85, Split.TRAIN),
            Voice.flite("slt", 85, 200, Split.TRAIN),
            Voice.flite("kal16", 115, 130, Split.TRAIN),
            Voice.festival("kal_diphone", 120, 140, Split.TRAIN),
            Voice.festival("cmu_us_slt_arctic_hts", 115, 0, Split.TRAIN),
            Voice.flite("awb", 95, 90, Split.TRAIN),
            Voice.festival("ked_diphone", 85, 85, Split.TRAIN),
            Voice.espeak("en-gb-x-rp+f1", 170, Split.TRAIN),
            Voice.espeak("en-us+f3", 180, Split.TEST),
            Voice.espeak("en-us+m2", 200, Split.TRAIN),
            Voice.espeak("en-us+klatt2", 170, Split.TRAIN),
            Voice.espeak("en-gb-scotland+m4", 165, Split.TRAIN),
            Voice.espeak("en+m5", 175, Split.TEST),
            Voice.espeak("en-us+steph", 180, Split.TRAIN),
            Voice.espeak("en-us+m1", 180, Split.TRAIN),
            Voice.espeak("en-us+linda", 170, Split.TRAIN),
            Voice.espeak("en+f2", 175, Split.TRAIN),
            Voice.espeak("en-us+Alex", 175, Split.TRAIN),
            Voice.espeak("en-us+m6", 165, Split.TRAIN),
            Voice.espeak("en+Annie", 170, Split.TRAIN),
            Voice.espeak("en-us+klatt4", 175, Split.TRAIN),
            Voice.espeak("en-us+m8", 185, Split.TRAIN),
            Voice.espeak("en-gb-scotland+f4", 175, Split.TRAIN),
            Voice.espeak("en-us+Andy", 170, Split.TRAIN),
            Voice.espeak("en+Michael", 175, Split.TRAIN),
            Voice.espeak("en-us+anika", 165, Split.TRAIN),
            Voice.espeak("en-us-nyc", 180, Split.TRAIN),
            Voice.flite("slt", 95, 100, Split.TRAIN),
            Voice.flite("awb", 105, 118, Split.TRAIN),
            Voice.flite("slt", 105, 120, Split.TRAIN),
            Voice.flite("awb", 80, 130, Split.TRAIN),
            Voice.flite("slt", 125, 135, Split.TRAIN));
}
