package io.sensorium.models;

import io.sensorium.InvalidWeightsException;

final class Errors {
    private Errors() {}

    static InvalidWeightsException weights(String message) {
        return new InvalidWeightsException(message, "");
    }
}
