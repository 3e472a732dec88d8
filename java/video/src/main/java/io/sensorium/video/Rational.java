package io.sensorium.video;

import java.math.BigInteger;

/**
 * An exact time or rate: {@code num/den} seconds (or a second's count), in lowest terms. Results that do not fit are an
 * {@link ArithmeticException}.
 *
 * @param num any number
 * @param den positive
 */
public record Rational(long num, long den) implements Comparable<Rational> {
    /** Nothing. */
    public static final Rational ZERO = new Rational(0, 1);

    private static final BigInteger MILLION = BigInteger.valueOf(1_000_000);

    /** Brings it to lowest terms. */
    public Rational {
        if (den <= 0) {
            throw new ArithmeticException(num + "/" + den + ": the denominator must be positive");
        }
        long divisor = BigInteger.valueOf(num).gcd(BigInteger.valueOf(den)).longValueExact();
        num /= divisor;
        den /= divisor;
    }

    /** {@code num/den}. */
    public static Rational of(long num, long den) {
        return new Rational(num, den);
    }

    /** A whole number of microseconds as seconds. */
    public static Rational ofMicros(long micros) {
        return new Rational(micros, 1_000_000);
    }

    private static Rational of(BigInteger num, BigInteger den) {
        BigInteger divisor = num.gcd(den);
        return new Rational(
                num.divide(divisor).longValueExact(), den.divide(divisor).longValueExact());
    }

    private BigInteger numerator() {
        return BigInteger.valueOf(num);
    }

    private BigInteger denominator() {
        return BigInteger.valueOf(den);
    }

    /** The sum. */
    public Rational plus(Rational other) {
        return of(
                numerator().multiply(other.denominator()).add(other.numerator().multiply(denominator())),
                denominator().multiply(other.denominator()));
    }

    /** The difference. */
    public Rational minus(Rational other) {
        return plus(new Rational(Math.negateExact(other.num), other.den));
    }

    /** {@code factor} times this. */
    public Rational times(long factor) {
        return of(numerator().multiply(BigInteger.valueOf(factor)), denominator());
    }

    /** A {@code divisor}-th of this, which is positive. */
    public Rational dividedBy(long divisor) {
        return of(numerator(), denominator().multiply(BigInteger.valueOf(divisor)));
    }

    /** How many of {@code rate} a second pass in this time, rounded to the nearest, halves up. */
    public long count(long rate) {
        BigInteger twice = numerator().multiply(BigInteger.valueOf(2 * rate)).add(denominator());
        return floor(twice, denominator().shiftLeft(1));
    }

    /** Whole microseconds, rounded down. */
    public long micros() {
        return floor(numerator().multiply(MILLION), denominator());
    }

    /** The next whole number of seconds. */
    public long ceil() {
        return Math.negateExact(Math.floorDiv(Math.negateExact(num), den));
    }

    private static long floor(BigInteger num, BigInteger den) {
        BigInteger[] parts = num.divideAndRemainder(den);
        return parts[0].subtract(parts[1].signum() < 0 ? BigInteger.ONE : BigInteger.ZERO)
                .longValueExact();
    }

    /** The nearest double. */
    public double seconds() {
        return (double) num / den;
    }

    /** Without its sign. */
    public Rational abs() {
        return num < 0 ? new Rational(Math.negateExact(num), den) : this;
    }

    @Override
    public int compareTo(Rational other) {
        return numerator()
                .multiply(other.denominator())
                .compareTo(other.numerator().multiply(denominator()));
    }

    @Override
    public String toString() {
        return num + "/" + den;
    }
}
