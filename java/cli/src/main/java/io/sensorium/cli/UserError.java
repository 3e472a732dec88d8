package io.sensorium.cli;

/** Something that the user can put right; its message is all that is shown. */
public final class UserError extends RuntimeException {
    private static final long serialVersionUID = 1;

    /** With the line that is shown. */
    public UserError(String message) {
        super(message);
    }

    /** What somebody else threw, as something that the user can put right. */
    public static UserError of(RuntimeException e) {
        UserError error = new UserError(e.getMessage());
        error.initCause(e);
        return error;
    }
}
