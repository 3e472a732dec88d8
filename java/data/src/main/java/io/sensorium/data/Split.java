package io.sensorium.data;

import java.util.Locale;

/** What an item may be used for. */
public enum Split {
    /** To train with. */
    TRAIN,
    /** To choose by while training: speakers that are not trained. */
    VALIDATION,
    /** To measure with at the end: other speakers that are not trained, concepts that are. */
    TEST,
    /** To measure with at the end: concepts of which nothing is trained. */
    UNSEEN;

    /** As it is written in a manifest. */
    @Override
    public String toString() {
        return name().toLowerCase(Locale.ROOT);
    }
}
