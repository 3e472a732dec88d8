package io.sensorium.cli;

/** Something that the user can put right; its message is all that is shown. */
final class UserError extends RuntimeException {
    private static final long serialVersionUID = 1;

    UserError(String message) {
        super(message);
    }
}
