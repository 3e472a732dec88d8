package io.sensorium;

/** What a {@link PoolConfig} takes together. */
public enum PoolKind {
    /** What a learned probe attends to. */
    ATTENTION,
    /** Equal runs of tokens. */
    MEAN,
    /** The first tokens. */
    PREFIX,
    /** The last tokens. */
    SUFFIX
}
