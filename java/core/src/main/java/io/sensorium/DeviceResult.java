package io.sensorium;

/**
 * Where the last request's results lie on the GPU, dense float32. They hold what they should once {@code event} has passed,
 * until the session's next request; the memory goes with the session. Addresses are 0 where the model gives no such thing.
 *
 * @param tokens device address of [{@code tokensCount}, dModel]
 * @param latents device address of [{@code latentsCount}, dLatents]
 * @param embedding device address of [{@code sequences}, dEmbedding]
 * @param stream the {@code CUstream} that the work was given to
 * @param event the {@code CUevent} behind it: make another stream wait for it
 * @param index which GPU
 */
public record DeviceResult(
        long tokens,
        long latents,
        long embedding,
        long tokensCount,
        long latentsCount,
        long sequences,
        long dModel,
        long dLatents,
        long dEmbedding,
        long stream,
        long event,
        int index) {}
